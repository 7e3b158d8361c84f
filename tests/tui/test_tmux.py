"""The app in a real tmux, from Home to a finished run: keys as tmux sends them, screens as tmux holds them."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from engine.home import find_home
from engine.journal.reader import list_executions, read_snapshot
from engine.model import Status
from profiles import store
from profiles.schema import OptionSection, Place, Profile

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt-get install tmux")

SECONDS = 60.0
"""How long anything may take at most."""

FILES, SIZE, RATE = 200, 50_000, 2_500_000
"""Slow enough that somebody can leave in the middle: four seconds."""


_NUMBERS = itertools.count()


class Tmux:
    """A tmux server of its own with one window, in which a shell runs."""

    def __init__(self, folder: Path) -> None:
        self._name = f"xsync-{os.getpid()}-{next(_NUMBERS)}"  # a server that ends still holds its socket
        surroundings = {**os.environ, "LC_ALL": "C.UTF-8", "HISTFILE": "", "COLUMNS": "80", "LINES": "24"}
        for name in ("TMUX", "ENV"):
            surroundings.pop(name, None)
        command = ["new-session", "-d", "-x", "80", "-y", "24", "-c", str(folder), "sh"]
        subprocess.run(["tmux", "-L", self._name, "-f", os.devnull, *command], env=surroundings, check=True)

    def ask(self, *arguments: str) -> str:
        """What tmux prints."""
        done = subprocess.run(["tmux", "-L", self._name, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def says(self, variable: str) -> str:
        """The value of a format variable of the window."""
        return self.ask("display-message", "-p", f"#{{{variable}}}").strip()

    def keys(self, *keys: str) -> None:
        """Press keys by their names in tmux."""
        self.ask("send-keys", *keys)

    def types(self, command: str) -> None:
        """Type a line into the shell."""
        self.ask("send-keys", "-l", command)
        self.keys("Enter")

    def sees(self, text: str) -> str:
        """Wait until ``text`` stands in the window; returns all that does."""
        self.until(lambda: text in self.ask("capture-pane", "-p"), text)
        return self.ask("capture-pane", "-p")

    def rows(self) -> list[str]:
        """All rows of the window, without spaces at their ends."""
        return self.ask("capture-pane", "-p").removesuffix("\n").split("\n")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"{what!r}:\n{self.ask('capture-pane', '-p')}"
            time.sleep(0.05)

    def children(self) -> list[psutil.Process]:
        """What runs in the shell."""
        return psutil.Process(int(self.says("pane_pid"))).children()

    def close(self) -> None:
        """End the server and all in it."""
        self.ask("kill-server")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """A tmux whose shell knows ``xsync``, and a saved migration between two folders."""
    for name in ("source", "destination"):
        (tmp_path / name).mkdir()
    for number in range(FILES):
        (tmp_path / "source" / f"f{number}").write_bytes(b"x" * SIZE)
    source, destination = (Place(f"file://{tmp_path}/{name}") for name in ("source", "destination"))
    store.save(Profile(1, "lab", source, destination, options=OptionSection(bytes_per_second=RATE)))
    found = Tmux(tmp_path)
    found.types(f"PS1='ready> '; xsync() {{ {shlex.quote(sys.executable)} -m xsync_tui $*; }}; clear")
    yield found
    found.close()


def test_from_home_to_a_finished_run_left_and_opened_again(tmux: Tmux) -> None:
    tmux.types("xsync")
    assert "lab" in tmux.sees("not surveyed")
    tmux.keys("2")
    tmux.sees("Not surveyed yet")
    tmux.keys("R")
    tmux.sees("enter start")
    tmux.keys("Enter")
    tmux.sees("200 files")
    tmux.keys("3")
    tmux.sees("what limits")

    tmux.ask("resize-window", "-x", "120", "-y", "40")
    tmux.until(lambda: tmux.rows()[-1].endswith("? help") and len(tmux.rows()[0]) == 120, "a screen of 120x40")
    assert len(tmux.rows()) == 40
    tmux.keys("5")
    tmux.sees("has not been run yet")
    tmux.keys("R")
    tmux.sees("start nothing")
    assert list_executions(find_home()) == []
    tmux.keys("Enter")
    tmux.sees("live")
    tmux.sees("discovered = transferred")
    tmux.ask("resize-window", "-x", "80", "-y", "24")
    tmux.ask("set-buffer", "P\n")
    tmux.ask("paste-buffer")  # as keys, not bracketed
    tmux.sees("keep running")
    tmux.keys("BSpace")
    tmux.sees("discovered = transferred")
    tmux.until(lambda: tmux.rows()[-1].endswith("? help") and len(tmux.rows()[0]) == 80, "a screen of 80x24")
    assert len(tmux.rows()) == 24

    tmux.keys("q")
    left = tmux.sees("Come back: xsync attach lab")
    assert "lab goes on" in left
    assert tmux.says("alternate_on") == "0"
    tmux.types("clear; xsync open lab")
    tmux.sees("SUCCESS")
    tmux.keys("BSpace")
    tmux.sees("[1 Home]")
    tmux.keys("7")
    tmux.sees("✓ SUCCESS")
    tmux.keys("q")
    tmux.sees("ready>")
    (run,) = list_executions(find_home())
    assert run.status is Status.SUCCESS
    assert not [
        event for event in read_snapshot(find_home().executions / run.execution).events if "pause" in event.text
    ]


def test_sigterm_leaves_the_terminal_as_it_was(tmux: Tmux) -> None:
    tmux.types("xsync")
    tmux.sees("not surveyed")
    assert tmux.says("alternate_on") == "1"
    (app,) = tmux.children()
    app.terminate()
    tmux.until(lambda: not tmux.children(), "the app ends")
    tmux.types("echo code $?; stty -a")
    tmux.sees("code 5\n")
    assert (tmux.says("alternate_on"), tmux.says("mouse_any_flag"), tmux.says("cursor_flag")) == ("0", "0", "1")
    assert {"icanon", "echo", "isig", "icrnl", "opost"} <= set(tmux.sees("extproc").split())
