"""Runs nginx on a free port of loopback, with its files in a folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CERTIFICATE = "    ssl_certificate %(file)s;\n    ssl_certificate_key %(file)s;"
"""Lines of a server that speaks TLS with a PEM file of key and certificate."""


@contextmanager
def nginx(folder: Path, config: str, values: Mapping[str, object]) -> Iterator[int]:
    """Run it with ``config``, filled in with ``values`` and the ``port``, which is yielded.

    ``folder`` is made. Raises SystemExit if there is no nginx, RuntimeError with its log if it does not start.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or shutil.which("nginx")
    if program is None:
        raise SystemExit("What is measured here needs nginx. On Debian and Ubuntu: apt-get install nginx-light")
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = folder / "nginx.conf"
    path.write_text(config % {**values, "port": port})
    server = subprocess.Popen([program, "-p", str(folder), "-e", "errors.log", "-c", str(path)])
    try:
        _wait_until_open(server, port, folder)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait_until_open(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 10
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"nginx did not start: {(folder / 'errors.log').read_text()}")
