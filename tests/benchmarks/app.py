"""The app: how soon it is there, what it costs while a run goes on, how fast it answers, whether it stays small."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from tests.benchmarks.run_feed import AGENTS, DAY, NAME, feed
from tests.benchmarks.section import Section, Settings, middle, table
from tests.benchmarks.terminals import Terminal, core_share, in_tmux, terminal
from tests.benchmarks.tools import program

MILLION = 1_000_000
PAINTS, DRAWINGS = 9, 20
STEADY_SECONDS = 60.0
"""How long the Run screen is watched."""

_SETTLING_SECONDS = 8.0
_KEY_SECONDS = 0.2
_DAY_STEP = 5.0
_MIB = 1024 * 1024

_TEXT = (
    "80x24. First paint and keys as they arrive at a pseudo-terminal; the Run screen in tmux, as written to its "
    f"terminal, journal reads included: {AGENTS} agents that report twice a second, a day behind them."
)


def tui(settings: Settings) -> Section:
    """Start, the Run screen with 16 agents, keys during a survey, a day drawn, a day lived through."""
    with _home(settings.folder) as variables:
        rows = [_first_paint(variables, settings.runs(PAINTS))]
        seconds = STEADY_SECONDS / 4 if settings.quick else STEADY_SECONDS
        notes = [] if shutil.which("tmux") else ["tmux is not installed here: the Run screen was not measured."]
        with feed():
            if not notes:
                rows += _watching(variables, seconds, settings.folder)
            rows.append(_day_drawn(settings.runs(DRAWINGS)))
        rows.append(_keys(settings, variables))
        rows.append(_a_day_long(variables, 10 * _DAY_STEP if settings.quick else _DAY_STEP))
    return Section("The app", "\n\n".join([_TEXT, table(["", "measured", "wanted below"], rows), *notes]))


@contextmanager
def _home(folder: Path) -> Iterator[Mapping[str, str]]:
    """A home of this benchmark's own, here and in what it starts."""
    home = tempfile.mkdtemp(dir=folder)
    with mock.patch.dict(os.environ, {"XSYNC_HOME": home}):
        for name in ("NO_COLOR", "TMUX"):
            os.environ.pop(name, None)
        yield dict(os.environ)


def _first_paint(variables: Mapping[str, str], runs: int) -> list[str]:
    def once() -> float:
        with terminal([program("xsync")], variables) as shown:
            return (shown.sees(b"[1 Home]") - shown.began) * 1e3

    once()  # fills the caches
    return ["first paint, ms", middle([once() for _ in range(runs)]), "700"]


def _watching(variables: Mapping[str, str], seconds: float, folder: Path) -> list[list[str]]:
    rows = []
    for option, core, rate in (("", "3", "10"), ("--low-bandwidth", "3", "3")):
        command = [program("xsync"), "open", NAME, *filter(None, [option])]
        with in_tmux(command, variables, Path(tempfile.mkdtemp(dir=folder))) as (pid, written):
            time.sleep(_SETTLING_SECONDS)
            before = written.stat().st_size
            share = core_share(pid, seconds)
            size = written.stat().st_size - before
        name = f"Run screen `{option}`".replace(" ``", "")
        rows.append([f"{name}, % of a core", f"{100 * share:.1f}", core])
        rows.append([f"{name}, KB/s", f"{size / seconds / 1e3:.1f}", rate])
    return rows


def _keys(settings: Settings, variables: Mapping[str, str]) -> list[str]:
    """Help is opened and closed for as long as a survey of a big tree goes on."""
    files = settings.count(MILLION)
    tree = settings.inputs.small(files, 10)
    times = []
    home = {**variables, "XSYNC_HOME": tempfile.mkdtemp(dir=settings.folder)}
    with terminal([program("xsync")], home) as shown:
        shown.sees(b"Where is the data?")
        shown.drains(0.5)
        shown.types(os.fsencode(tree))
        shown.drains(0.5)
        shown.types(b"\r")
        shown.sees(b"[2 Survey")
        while not _has_survey(home):
            times.append(_round(shown))
    settings.inputs.drop(tree)
    return [f"key to paint while {files:,} files are surveyed, ms", middle(times) if times else "too short", "50"]


def _round(shown: Terminal) -> float:
    """Milliseconds from a key to what it opens, and it is closed again."""
    began = time.perf_counter()
    shown.types(b"?")
    took = shown.sees(b"any key closes") - began
    shown.drains(_KEY_SECONDS / 2)
    shown.types(b" ")
    shown.drains(_KEY_SECONDS / 2)
    return took * 1e3


def _has_survey(variables: Mapping[str, str]) -> bool:
    return any(Path(variables["XSYNC_HOME"]).glob("surveys/*/survey.json"))


def _day_drawn(runs: int) -> list[str]:
    """Read and drawn by the Run screen, the whole run in its graph."""

    async def drawn() -> list[float]:
        from xsync_tui.app import XsyncApp
        from xsync_tui.drawing.facts import Subject
        from xsync_tui.drawing.graph import SPANS
        from xsync_tui.screens.run import RunScreen

        app, times = XsyncApp(Subject(execution=NAME)), []
        async with app.run_test(size=(80, 24)) as pilot:
            app.go("run")
            await pilot.pause()
            screen = app.screen
            assert isinstance(screen, RunScreen)
            screen._span = len(SPANS) - 1
            for _ in range(runs):
                began = time.perf_counter()
                screen.draw(screen.sample(app.subject, app.bridge), screen.canvas, app.now())
                times.append((time.perf_counter() - began) * 1e3)
        app.bridge.close()
        return times

    return [f"{DAY / 3600:.0f} h of history read and drawn, ms", middle(asyncio.run(drawn()), ".1f"), "100"]


def _a_day_long(variables: Mapping[str, str], step: float) -> list[str]:
    command = [sys.executable, "-m", "tests.benchmarks.app_day", str(step)]
    done = subprocess.run(command, env=dict(variables), capture_output=True, text=True, check=True)
    early, late = json.loads(done.stdout)
    said = f"{(late - early) / _MIB:+.1f} (from {early / _MIB:.0f})"
    return ["memory at the end of a simulated day beside its second hour, MiB", said, "flat"]
