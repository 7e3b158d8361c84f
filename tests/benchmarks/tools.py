"""The tools that are compared, as the commands a person who knows them would type, and what their runs tell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.measure import CommandFailedError, Usage, measure

AGENTS = 2


class Endpoint(NamedTuple):
    """Where to upload to. ``ca_bundle``: file with the certificate that its own must be signed by, if it has one."""

    url: str
    access_key: str
    secret_key: str
    region: str
    bucket: str
    ca_bundle: Path | None = None


class Run(NamedTuple):
    """One upload. ``transfer_seconds`` is what "while transferring" is measured over."""

    usage: Usage
    transfer_seconds: float


class Tool(NamedTuple):
    """A tool: its command line for a source folder, a destination ``bucket/prefix`` and an endpoint."""

    name: str
    command: Callable[[Path, str, str], list[str]]
    transfer_seconds: Callable[[Usage, int], float]


def program(name: str) -> str:
    """Path of a program of this environment, or of one on PATH; SystemExit if there is none."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed: pip install -c constraints.txt -e '.[demo,dev]'")
    return found


def xsync_result(usage: Usage, files: int) -> dict[str, Any]:
    """The result line of ``xsync run --json``; CommandFailedError unless it transferred exactly ``files`` files."""
    lines = [json.loads(line) for line in usage.output.splitlines()]
    result: dict[str, Any] = next((line for line in reversed(lines) if line.get("type") == "result"), {})
    if result.get("files", {}).get("transferred") != files or not result.get("transfer_seconds"):
        raise CommandFailedError(f"xsync was to transfer {files} files; its result is {result}")
    return result


def _xsync(source: Path, destination: str, url: str) -> list[str]:
    where = [str(source), f"s3://{destination}", "--endpoint-url", url]
    return [program("xsync"), "run", *where, "--agents", str(AGENTS), "--json"]


def _s5cmd(source: Path, destination: str, url: str) -> list[str]:
    options = ["--endpoint-url", url, "--log", "error", "--numworkers", "64"]
    return [program("s5cmd"), *options, "cp", f"{source}/", f"s3://{destination}/"]


def _rclone(source: Path, destination: str, url: str) -> list[str]:
    # It is told not to look at the destination, neither before nor after. Without --multi-thread-streams 0 it asks for
    # each large object once it is there, which an endpoint that keeps nothing cannot answer; parts are sent in parallel
    # all the same.
    options = [
        *("--config", os.devnull, "--retries", "1", "--transfers", "32", "--checkers", "16"),
        *("--no-check-dest", "--ignore-checksum", "--multi-thread-streams", "0"),
        *("--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", url, "--s3-no-check-bucket", "--s3-no-head"),
    ]
    return [program("rclone"), "copy", *options, str(source), f":s3:{destination}"]


XSYNC = Tool("xsync", _xsync, lambda usage, files: float(xsync_result(usage, files)["transfer_seconds"]))
S5CMD = Tool("s5cmd", _s5cmd, lambda usage, files: usage.wall_seconds)
RCLONE = Tool("rclone", _rclone, lambda usage, files: usage.wall_seconds)
TOOLS = (XSYNC, S5CMD, RCLONE)


def environment(endpoint: Endpoint, home: Path) -> Mapping[str, str]:
    """Environment of a measured command: the endpoint's keys, nobody's settings, xsync's own state in ``home``."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    trusted = {name: str(endpoint.ca_bundle) for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE") if endpoint.ca_bundle}
    return {
        **inherited,
        **trusted,
        "AWS_ACCESS_KEY_ID": endpoint.access_key,
        "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
        "AWS_REGION": endpoint.region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "XSYNC_HOME": str(home),
    }


def upload(tool: Tool, source: Path, files: int, endpoint: Endpoint, home: Path, *, memory: bool = False) -> Run:
    """Upload ``source``, which has ``files`` files, with ``tool``; raises CommandFailedError if it does not work."""
    command = tool.command(source, f"{endpoint.bucket}/{tool.name}", endpoint.url)
    usage = measure(command, environment(endpoint, home), memory=memory)
    return Run(usage, tool.transfer_seconds(usage, files))


def versions() -> dict[str, str]:
    """Name and version of every tool that takes part."""
    found = {}
    for name, arguments in (("xsync", "--version"), ("s5cmd", "version"), ("rclone", "version"), ("weed", "version")):
        done = subprocess.run([program(name), arguments], capture_output=True, text=True, check=True)
        found[name] = done.stdout.splitlines()[0].removeprefix(name).removeprefix(", version").strip()
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or program("nginx")
    found["nginx"] = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr.strip()
    return found
