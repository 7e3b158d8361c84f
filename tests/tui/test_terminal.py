"""The app in a real terminal: how it leaves one, by key and by signal, and that others than its own see nothing odd."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from engine.model import Status
from tests.unit.cli_journals import alive, make_execution

SECONDS = 30.0

_ALTERNATE_SCREEN, _MAIN_SCREEN, _CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


class Terminal:
    """``xsync`` behind a pseudo-terminal of 80x24."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.fd, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        surroundings = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment}
        surroundings.pop("TMUX", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "xsync_tui", *arguments],
            stdin=end,
            stdout=end,
            stderr=end,
            env=surroundings,
            start_new_session=True,
        )
        os.close(end)
        self.seen = b""

    def sees(self, text: bytes) -> None:
        """Read until ``text`` was written."""
        deadline = time.monotonic() + SECONDS
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self._read()

    def types(self, text: bytes) -> None:
        """Press keys."""
        os.write(self.fd, text)

    def ends(self) -> int:
        """Read to its end; returns the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < deadline
        return self.process.wait(SECONDS)

    def close(self) -> None:
        """End it in any case."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.fd)

    def _read(self) -> bool:
        if not select.select([self.fd], [], [], 1.0)[0]:
            return True
        try:
            found = os.read(self.fd, 65536)
        except OSError:  # how a pseudo-terminal says that nobody is at its other end
            return False
        self.seen += found
        return bool(found)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Those that a test opened; closed at its end."""
    opened: list[Terminal] = []
    yield opened
    for each in opened:
        each.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_clean_terminal(number: signal.Signals, terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal())
    terminal.sees(b"Where is the data?")
    assert _ALTERNATE_SCREEN in terminal.seen
    terminal.process.send_signal(number)
    assert terminal.ends() == 5
    last = terminal.seen[terminal.seen.rindex(_MAIN_SCREEN) :]
    assert _CURSOR in last
    assert b"\x1b[?1000h" not in terminal.seen  # the mouse stays the terminal's


def test_leaving_says_what_goes_on_and_touches_nothing(terminals: list[Terminal]) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):
        terminals.append(terminal := Terminal("open"))
        terminal.sees(b"TRANSFERRING")
        terminal.types(b"q")
        assert terminal.ends() == 0
    last = terminal.seen[terminal.seen.rindex(_MAIN_SCREEN) :]
    assert b"goes on: 75 %" in last
    assert b"Come back: xsync attach" in last


def test_ctrl_c_leaves_while_something_is_typed(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal())
    terminal.sees(b"Where is the data?")
    terminal.types(b"/mnt\x03")
    assert terminal.ends() == 0


def test_no_color_has_none_and_a_c_locale_has_no_glyphs(terminals: list[Terminal]) -> None:
    make_execution("lab", Status.TRANSFERRING, silent=300.0)
    terminals.append(terminal := Terminal(NO_COLOR="1", LC_ALL="C"))
    terminal.sees(b"RUNNER GONE")
    terminal.types(b"q")
    assert terminal.ends() == 0
    painted = terminal.seen.decode()
    assert painted.isascii()
    assert "\x1b[38;" not in painted
    assert "\x1b[31m" not in painted


def test_bad_settings_are_told_before_anything_is_drawn(terminals: list[Terminal]) -> None:
    home = os.environ["XSYNC_HOME"]
    os.makedirs(home)
    with open(f"{home}/settings.toml", "w", encoding="utf-8") as file:
        file.write('theme = "drak"\n')
    terminals.append(terminal := Terminal())
    assert terminal.ends() == 2
    assert b"settings.toml: theme: expected auto or dark" in terminal.seen
    assert _ALTERNATE_SCREEN not in terminal.seen
