"""``y`` copies what the cursor is on, through tmux where it runs, and says what it was; the bell at a run's end."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.journal.writer import Journal
from engine.model import Failure, Status
from tests.tui.test_run_screen import User, use
from tests.tui.test_terminal import Terminal
from tests.unit.cli_journals import CLEAN, DONE, alive, make_execution

SECONDS = 30.0


class Tmux:
    """A server of its own with one window of 80x24."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "tmux"

    def __call__(self, *arguments: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-S", os.fspath(self._socket), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout

    def until(self, holds: Callable[[str], bool]) -> str:
        """Wait until what is on the screen is so."""
        deadline = time.monotonic() + SECONDS
        while not holds(text := self("capture-pane", "-p")):
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        return text


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux")
    found = Tmux(tmp_path)
    yield found
    found("kill-server")


def test_in_tmux_it_lands_in_the_buffer_and_the_title_tells_how_far_the_run_is(tmux: Tmux) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):
        settings = [f"{name}={os.environ[name]}" for name in ("XSYNC_HOME", "PATH", "PYTHONPATH") if name in os.environ]
        app = f"env {' '.join(settings)} LC_ALL=C.UTF-8 {sys.executable} -m xsync_tui open {folder.name}"
        tmux("new-session", "-d", "-x", "80", "-y", "24", app)
        tmux.until(lambda text: "TRANSFERRING" in text)
        tmux("send-keys", "y")
        tmux.until(lambda text: f"Copied the run id: {folder.name}" in text)
        assert tmux("show-buffer") == folder.name
        assert tmux("display", "-p", "#{pane_title}").startswith(f"75 % {folder.name}")
        tmux("send-keys", "q")


def test_outside_tmux_the_terminal_is_asked_to_take_it() -> None:
    folder = make_execution("lab", Status.SUCCESS, totals=CLEAN)
    terminal = Terminal("open", folder.name)
    try:
        terminal.sees(b"SUCCESS")
        terminal.types(b"5")
        terminal.sees(b"another pass")
        terminal.types(b"y")
        terminal.sees(b"\x1b]52;c;" + base64.b64encode(folder.name.encode()))
        terminal.sees(b"if this terminal takes it")
        terminal.types(b"q")
        assert terminal.ends() == 0
    finally:
        terminal.close()


def test_a_path_is_copied_without_what_would_act_where_it_is_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_execution("lab", Status.ERROR, totals=DONE, failures=[Failure("a\x1b[2J\n; rm b", "unreadable")])
    copied: list[str] = []

    def take(text: str) -> bool:
        copied.append(text)
        return True

    monkeypatch.setattr("xsync_tui.terminal.copied_by_tmux", take)

    async def what(user: User) -> None:
        await user.press("f")
        await user.sees("1 cause")
        await user.press("y")
        await user.sees("Copied the cause: unreadable")
        await user.press("backspace", "enter", "y")
        await user.sees("Copied the path: a\\x1b[2J")
        await user.press("backspace", "backspace", "backspace", "5", "y")
        await user.sees("Copied the run id")
        await user.press("backspace", "t", "y")
        await user.sees("Copied the task: 2023")

    use(folder, what)
    assert copied[0] == "unreadable"
    assert not set(copied[1]) & set("\x1b\n")
    assert copied[2] == folder.name


@pytest.mark.parametrize("bell", [True, False])
def test_the_bell_rings_once_when_a_run_ends_unless_settings_say_no(bell: bool) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    home = Path(os.environ["XSYNC_HOME"])
    (home / "settings.toml").write_text(f"bell = {str(bell).lower()}\n")
    terminal = Terminal("open", folder.name)
    try:
        with alive(folder):
            terminal.sees(b"TRANSFERRING")
            assert not _rung(terminal.seen)
            with Journal.open(folder) as journal:
                journal.set_totals(CLEAN, {})
                journal.set_status(Status.SUCCESS, "", time.time())
        terminal.sees(b"SUCCESS")
        terminal.sees(b"another pass")
        terminal.types(b"q")
        assert terminal.ends() == 0
    finally:
        terminal.close()
    assert _rung(terminal.seen) == bell


def _rung(seen: bytes) -> int:
    """Bells that end no title."""
    return re.sub(rb"\x1b\][^\x07]*\x07", b"", seen).count(b"\x07")
