"""Notifications and metrics: what is told, to whom, and that nothing out there stops or betrays a run."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.execution.committer import Committer
from engine.execution.herald import Herald
from engine.journal.reader import read_migration, read_snapshot
from engine.journal.writer import Journal
from engine.model import AgentSnapshot, Failure, Migration, Notify, Status
from engine.reporting.metrics import render
from engine.reporting.notify import event_of, notify
from tests.unit.cli_journals import DONE, alive, make_execution

SECRET = "s3cret-path"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


KEEP = "import sys,os;open(sys.argv[1],'a').write(sys.stdin.read()+os.environ['XSYNC_EVENT']+chr(10))"


def event(kind: str = "end") -> dict[str, Any]:
    folder = make_execution(
        "lab", Status.ERROR, totals=DONE, failures=[Failure("a", "unreadable")], message="done, but"
    )
    return event_of(kind, read_snapshot(folder), folder)


def test_the_command_gets_the_event_on_stdin_and_in_variables(tmp_path: Path) -> None:
    out = tmp_path / "told"
    assert notify(Notify(python(KEEP, str(out))), event()) == []
    told, _, kind = out.read_text().strip().rpartition("}")
    found = json.loads(told + "}")
    assert kind == "end"
    assert (found["status"], found["message"], found["failures"]) == ("ERROR", "done, but", {"unreadable": 1})
    assert found["files"]["transferred"] == DONE.files.transferred


def test_a_command_that_fails_hangs_or_is_missing_is_only_said() -> None:
    complains = python("import sys; print('no room', file=sys.stderr); sys.exit(7)")
    assert notify(Notify(complains), event())[0].endswith("ended with code 7: no room")
    sleeps = python("import subprocess,sys; subprocess.run([sys.executable,'-c','import time; time.sleep(60)'])")
    assert "took more than" in notify(Notify(sleeps), event(), timeout=0.5)[0]
    assert "cannot be started" in notify(Notify(("/no/such/program",)), event())[0]


def test_a_command_that_does_not_read_is_no_problem() -> None:
    assert notify(Notify(python("")), event() | {"message": "x" * 1_000_000}) == []


@contextmanager
def https_server(folder: Path, status: int) -> Iterator[tuple[str, list[bytes]]]:
    """A server that keeps what is posted to it; yields its URL."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Location", "https://elsewhere.invalid/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/{SECRET}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "xsync test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = folder / "cert.pem"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return path


def test_the_webhook_gets_the_event_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with https_server(tmp_path, 204) as (url, got):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        monkeypatch.setenv("HOOK", url)
        assert notify(Notify(webhook_variable="HOOK"), event("failure")) == []
    assert json.loads(got[0])["event"] == "failure"


@pytest.mark.parametrize("trusted", [True, False])
def test_what_goes_wrong_with_a_webhook_never_tells_its_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    with https_server(tmp_path, 302) as (url, _):
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        monkeypatch.setenv("HOOK", url)
        (problem,) = notify(Notify(webhook_variable="HOOK"), event())
    assert problem == (
        "the webhook of [notify] answered 302" if trusted else "the webhook of [notify] cannot be reached: SSLError"
    )


@pytest.mark.parametrize(
    "url", ["", f"http://127.0.0.1/{SECRET}", f"ftp://x/{SECRET}", f"https:///{SECRET}", f"https://[{SECRET}", SECRET]
)
def test_a_webhook_that_is_no_https_is_not_called(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HOOK", url)
    (problem,) = notify(Notify(webhook_variable="HOOK"), event())
    assert "was not called" in problem
    assert SECRET not in problem


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", f"https://hooks.invalid/{SECRET}")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    (problem,) = notify(Notify(webhook_variable="HOOK"), event())
    assert problem == "the webhook of [notify] cannot be reached: ProxyError"


async def told_by(folder: Path, migration: Migration, states: list[str]) -> None:
    """Run a herald while agent-1 goes through ``states``, then to the end."""
    committer = Committer(folder)
    await committer.open()
    try:
        with alive(folder):
            herald = Herald(folder, migration, committer)
            for state in states:

                def put(journal: Journal, state: str = state) -> None:
                    journal.put_agents([AgentSnapshot("agent-1", state)], 1.0)

                await committer.call(put)
                await herald.look()
            await herald.end()
    finally:
        await committer.close()


@pytest.mark.parametrize(
    ("on", "status", "expected"),
    [
        (("end", "failure", "stall"), Status.SUCCESS, ["stall", "stall", "end"]),
        (("end",), Status.ERROR, ["failure"]),
        (("failure",), Status.ERROR, ["failure"]),
        (("failure",), Status.INTERRUPTED, []),
        (("stall",), Status.ERROR, ["stall", "stall"]),
    ],
)
def test_each_event_is_told_once(tmp_path: Path, on: tuple[str, ...], status: Status, expected: list[str]) -> None:
    out = tmp_path / "told"
    out.touch()
    folder = make_execution("lab", status, totals=DONE)
    migration = msgspec.structs.replace(read_migration(folder), notify=Notify(python(KEEP, str(out)), None, on))
    asyncio.run(told_by(folder, migration, ["stalled", "stalled", "working", "stalled"]))
    assert [line.rpartition("}")[2] for line in out.read_text().splitlines()] == expected


def test_what_cannot_be_told_becomes_one_warning(tmp_path: Path) -> None:
    folder = make_execution("lab", Status.SUCCESS, totals=DONE)
    missing = str(tmp_path / "missing" / "x.prom")
    migration = msgspec.structs.replace(read_migration(folder), notify=Notify(("/no/such",)), metrics_file=missing)
    asyncio.run(told_by(folder, migration, ["working"]))
    warnings = [event.text for event in read_snapshot(folder).events if event.kind == "warning"]
    assert len(warnings) == 2
    assert "metrics file" in warnings[0] and "cannot be started" in warnings[1]


def test_metrics_are_whole_and_escaped(tmp_path: Path) -> None:
    folder = make_execution('l"a\\b\n', Status.ERROR, totals=DONE, failures=[Failure("a", 'odd "reason"\n')])
    path = tmp_path / "x.prom"
    migration = msgspec.structs.replace(read_migration(folder), metrics_file=str(path))
    asyncio.run(told_by(folder, migration, []))
    text = path.read_text("utf-8")
    with alive(folder):
        assert text == render(read_snapshot(folder))
    odd = r"l\"a\\b\n"
    name = f'execution="20250513-214800-{odd}-3f2a",profile="{odd}"'
    assert f'xsync_failures{{{name},reason="odd \\"reason\\"\\n"}} 1\n' in text
    assert f'xsync_files{{{name},outcome="transferred"}} 948\n' in text
    assert f'xsync_status{{{name},status="ERROR"}} 1.0\n' in text
    assert f'xsync_agents{{{name},state="idle"}} 1\n' in text
    for line in text.splitlines():
        assert line.startswith(("# HELP xsync_", "# TYPE xsync_", "xsync_")), line
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["x.prom"]
