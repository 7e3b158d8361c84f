"""The embedded S3 server: real, on loopback only, gone when the block ends."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from engine.errors import XsyncError
from xsync_tui.demo import server as server_module
from xsync_tui.demo.server import s3_client, s3_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_listens_on_loopback_only_and_lets_go_of_its_ports(tmp_path: Path) -> None:
    with s3_server(tmp_path) as server:
        process = next(child for child in psutil.Process().children() if str(tmp_path) in " ".join(child.cmdline()))
        listening = [c.laddr for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert len(listening) == len(server_module.PORTS)
        assert {address.ip for address in listening} == {"127.0.0.1"}
        assert not [argument for argument in process.cmdline() if server.secret_key in argument]
        sockets = list(Path("/tmp").glob(f"seaweedfs-*-{server.endpoint_url.rpartition(':')[2]}.sock"))
        assert sockets
    assert not process.is_running()
    assert not [path for path in sockets if path.exists()]
    for address in listening:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.ip, address.port))
    assert (tmp_path / "s3.json").stat().st_mode & 0o777 == 0o600


def test_anonymous_and_wrong_keys_are_refused(s3: server_module.S3Server) -> None:
    client = s3_client(s3._replace(secret_key="wrong"))
    with pytest.raises(client.exceptions.ClientError, match="SignatureDoesNotMatch"):
        client.list_buckets()
    client.close()


def test_bucket_is_new_and_empty(boto: S3Client, bucket: str) -> None:
    assert boto.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_missing_program_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(XsyncError, match=r"pip install 'xsync-tui\[demo\]'"), s3_server(tmp_path):
        pass
