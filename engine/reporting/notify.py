"""Tells the world outside: a command with an event on its standard input, a webhook that gets the same as JSON.

The webhook's URL often is a secret: it is read from the environment when it is needed, and no message, journal or log
ever holds it or a part of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec
import urllib3

from engine.model import Notify, Snapshot
from engine.reporting.report import REPORT, tally

TIMEOUT_SECONDS = 30.0
"""How long a command or webhook may take."""

_SAID_BYTES = 500
_VARIABLE_CHARACTERS = 4_000


def event_of(kind: str, snapshot: Snapshot, folder: Path, message: str = "") -> dict[str, Any]:
    """What is told: JSON values. ``kind``: end, failure, stall. ``message``: in place of the execution's own."""
    totals = snapshot.totals
    report = folder / REPORT
    return {
        "event": kind,
        "execution": snapshot.execution,
        "profile": snapshot.profile,
        "host": snapshot.host,
        "source": snapshot.source,
        "destination": snapshot.destination,
        "status": snapshot.status,
        "message": message or snapshot.message,
        "started_at": snapshot.started_at,
        "ended_at": snapshot.ended_at,
        "files": tally(totals.files),
        "folders": tally(totals.folders),
        "bytes": msgspec.to_builtins(totals.bytes),
        "failures": snapshot.failure_counts,
        "report": str(report) if report.exists() else None,
    }


def notify(settings: Notify, event: Mapping[str, Any], timeout: float = TIMEOUT_SECONDS) -> list[str]:
    """Run the command and call the webhook; blocks at most ``timeout`` seconds for each. Returns what went wrong."""
    body = msgspec.json.encode(event)
    problems = []
    if settings.command:
        problems.append(_run(settings.command, event, body, timeout))
    if settings.webhook_variable is not None:
        problems.append(_post(settings.webhook_variable, body, timeout))
    return [problem for problem in problems if problem]


def _run(command: tuple[str, ...], event: Mapping[str, Any], body: bytes, timeout: float) -> str:
    name = command[0]
    said = {key: event.get(key) for key in ("event", "execution", "profile", "status", "message", "report")}
    variables = {f"XSYNC_{key.upper()}": _variable(value) for key, value in said.items()}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | variables,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"the command {name} of [notify] cannot be started: {error}"
    with process:
        try:
            _, complaint = process.communicate(body, timeout)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"the command {name} of [notify] took more than {timeout:.0f} s and was ended"
    if process.returncode == 0:
        return ""
    text = complaint[-_SAID_BYTES:].decode("utf-8", "replace").strip()
    return f"the command {name} of [notify] ended with code {process.returncode}" + (f": {text}" if text else "")


def _variable(value: object) -> str:
    """A value as an environment variable can hold it; the event on standard input has it whole."""
    return str(value or "").replace("\0", "")[:_VARIABLE_CHARACTERS]


def _post(variable: str, body: bytes, timeout: float) -> str:
    url = os.environ.get(variable, "")
    if not url:
        return f"the webhook of [notify] was not called: the environment of the run has no {variable}"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme != "https" or not host:
        return f"the webhook of [notify] was not called: {variable} holds no https:// URL"
    try:
        with _pool(host) as pool:
            answer = pool.request(
                "POST",
                url,
                body=body,
                headers={"Content-Type": "application/json", "User-Agent": "xsync"},
                timeout=urllib3.Timeout(total=timeout),
                retries=False,
                redirect=False,
            )
    except Exception as error:  # whatever it is: its text may hold the URL
        return f"the webhook of [notify] cannot be reached: {type(error).__name__}"
    return "" if 200 <= answer.status < 300 else f"the webhook of [notify] answered {answer.status}"


def _pool(host: str) -> urllib3.PoolManager:
    """Connections as the environment wants them: https_proxy, no_proxy."""
    proxy = getproxies().get("https")
    if proxy is None or proxy_bypass(host):
        return urllib3.PoolManager()
    return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}")
