"""Installs and removes what starts a schedule: a systemd user timer, or a line of the account's crontab."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from engine.errors import XsyncError
from engine.home import account_name
from engine.recurrence import Recurrence

Kind = Literal["systemd", "crontab"]

_SECONDS = 30.0


class Timers(Protocol):
    """One way to have a command started at given times, for this account."""

    kind: Kind

    def install(self, name: str, times: Recurrence, command: Sequence[str]) -> str:
        """Start ``command`` at ``times``, in place of what was installed for ``name``; returns where that is kept."""

    def remove(self, name: str) -> bool:
        """Take it away; whether there was one."""


def timers(kind: Kind | None = None) -> Timers:
    """Those asked for, or else systemd's where a user manager answers, or else the crontab. Raises XsyncError."""
    if kind == "systemd" or (kind is None and _user_manager()):
        return SystemdTimers()
    if shutil.which("crontab") is None:
        raise XsyncError(
            "This host has neither a systemd user manager for this account nor a crontab command: install cron, or let "
            "whatever starts things here start xsync run PROFILE"
        )
    return Crontab()


def command_of(name: str) -> list[str]:
    """What starts the schedule of profile ``name``."""
    home = os.environ.get("XSYNC_HOME")
    place = ["/usr/bin/env", f"XSYNC_HOME={os.path.abspath(home)}"] if home else []
    return [*place, sys.executable, "-m", "xsync_tui", "schedule", "run", name]


def ends_with_the_session() -> bool:
    """Whether systemd ends this account's timers when its last session is closed (loginctl enable-linger)."""
    return not Path("/var/lib/systemd/linger", account_name(os.geteuid())).exists()


class SystemdTimers:
    """A timer and its service in the folder of this account's units."""

    kind: Kind = "systemd"

    def __init__(self) -> None:
        base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        self._folder = Path(base) / "systemd" / "user"

    def install(self, name: str, times: Recurrence, command: Sequence[str]) -> str:
        """See Timers. A time that passed while the host was off is made up for once."""
        timer, service = self._paths(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        service.write_text(_SERVICE.format(name=name, command=" ".join(map(_quoted, command))))
        lines = "\n".join(f"OnCalendar={each}" for each in times.on_calendar())
        timer.write_text(_TIMER.format(name=name, times=lines))
        _call("systemctl", "--user", "daemon-reload")
        _call("systemctl", "--user", "enable", timer.name)
        _call("systemctl", "--user", "restart", timer.name)
        return str(timer)

    def remove(self, name: str) -> bool:
        """See Timers. An execution that runs goes on."""
        timer, service = self._paths(name)
        if not timer.exists():
            return False
        _call("systemctl", "--user", "disable", "--now", timer.name)
        timer.unlink()
        service.unlink(missing_ok=True)
        _call("systemctl", "--user", "daemon-reload")
        return True

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"xsync-{name}.timer", self._folder / f"xsync-{name}.service"


class Crontab:
    """A line in the crontab of this account; all others stay as they are."""

    kind: Kind = "crontab"

    def install(self, name: str, times: Recurrence, command: Sequence[str]) -> str:
        """See Timers. cron takes % for a new line unless it is escaped (crontab(5))."""
        line = f"{times.cron} {shlex.join(command)}".replace("%", r"\%") + f" {_mark(name)}"
        self._write([*self._others(name), line])
        return f"the crontab of {account_name(os.geteuid())}"

    def remove(self, name: str) -> bool:
        """See Timers."""
        lines, others = self._lines(), self._others(name)
        if len(lines) > len(others):
            self._write(others)
        return len(lines) > len(others)

    def _others(self, name: str) -> list[str]:
        return [line for line in self._lines() if not line.endswith(_mark(name))]

    def _lines(self) -> list[str]:
        listed = _run("crontab", "-l")
        if listed.returncode == 0:
            return listed.stdout.splitlines()
        if "no crontab" in listed.stderr:
            return []
        raise XsyncError(f"The crontab cannot be read: {listed.stderr.strip()}")

    def _write(self, lines: list[str]) -> None:
        _call("crontab", "-", text="".join(f"{line}\n" for line in lines))


_SERVICE = """\
[Unit]
Description=xsync: scheduled execution of {name}

[Service]
Type=exec
ExecStart={command}
KillMode=mixed
TimeoutStopSec=10min
"""
# mixed: SIGTERM goes to the command alone, which drains its agents.

_TIMER = """\
[Unit]
Description=xsync: schedule of {name}

[Timer]
{times}
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
"""


def _mark(name: str) -> str:
    return f"# xsync schedule {name}"


def _quoted(word: str) -> str:
    """A word of ExecStart (systemd.service(5), command lines): quoted, without specifiers and variables."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _user_manager() -> bool:
    return shutil.which("systemctl") is not None and _run("systemctl", "--user", "show-environment").returncode == 0


def _call(*command: str, text: str = "") -> None:
    done = _run(*command, text=text)
    if done.returncode:
        raise XsyncError(f"{shlex.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")


def _run(*command: str, text: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=text, capture_output=True, encoding="utf-8", errors="replace", timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise XsyncError(f"There is no {command[0]} on this host") from None
    except subprocess.TimeoutExpired:
        raise XsyncError(f"{shlex.join(command)} did not answer within {_SECONDS:.0f} s") from None
