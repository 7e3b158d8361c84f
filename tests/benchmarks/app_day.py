"""``python -m tests.benchmarks.app_day STEP``: a day of the Run screen with 16 agents, a look each STEP seconds.

The clock is a number that is counted up. Prints one line of JSON: bytes of memory after two hours and at the end.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path

import psutil

from engine.journal.records import Command, Estimate
from engine.model import Event, LocationSpec, Migration, Sample, Snapshot, Status
from tests.benchmarks.run_feed import AGENTS, DAY, NAME, agents, sample, totals
from xsync_tui.app import XsyncApp
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Facts, Subject
from xsync_tui.drawing.graph import SPANS
from xsync_tui.drawing.rows import plain
from xsync_tui.screens.run import RunScreen
from xsync_tui.widgets.lines import Lines

BEGAN = 1_747_000_000.0
FOLDER = Path(NAME)

SETTLED = 7_200.0
"""Seconds after which all that is kept for some time is full."""


class _App(XsyncApp):
    """Its clock goes as it is told."""

    at = BEGAN

    def now(self) -> float:
        """The simulated time."""
        return self.at


class _Told(Bridge):
    """Knows what a journal would tell at the simulated time."""

    at = BEGAN

    def folder_of(self, subject: Subject) -> Path:
        """One for all."""
        return FOLDER

    def snapshot(self, folder: Path) -> Snapshot:
        """Another one each time."""
        return _snapshot(self.at)

    def samples(self, folder: Path, start: float, width: float, buckets: int) -> dict[int, Sample]:
        """As many as are asked for."""
        times = [start + width * bucket for bucket in range(buckets)]
        return {bucket: sample(at, BEGAN) for bucket, at in enumerate(times) if at <= self.at}

    def agent_rates(self, folder: Path, start: float, width: float, buckets: int) -> dict[str, dict[int, float]]:
        """Of all agents."""
        found = [agents(start + width * bucket) for bucket in range(buckets)]
        return {
            each.name: {at: row[of].bytes_per_second for at, row in enumerate(found)}
            for of, each in enumerate(found[0])
        }

    def estimates(self, folder: Path) -> list[Estimate]:
        """None."""
        return []

    def chosen_limits(self, folder: Path) -> list[tuple[float, float | None]]:
        """None."""
        return []

    def unanswered(self, folder: Path) -> list[Command]:
        """None."""
        return []


async def _day(step: float) -> tuple[int, int]:
    told, sizes = _Told(), []
    app = _App(Subject(execution=NAME), bridge=told)
    async with app.run_test(size=(80, 24)) as pilot:
        app.go("run")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, RunScreen)
        screen._frozen = {(FOLDER, 0): Migration(LocationSpec("/mnt/lab"), LocationSpec("s3://lab/img"))}
        if screen._timer is not None:
            screen._timer.stop()
        for look in range(int(DAY / step)):
            app.at = told.at = BEGAN + step * look
            screen._span = look // 500 % len(SPANS)
            screen.facts = Facts(app.subject, snapshot=told.snapshot(FOLDER))
            screen.value, screen.trouble = screen.sample(app.subject, told), ""
            screen.redraw()
            await asyncio.sleep(0.0005)  # it paints
            if look in (int(SETTLED / step), int(DAY / step) - 1):
                await pilot.pause()
                gc.collect()
                sizes.append(int(psutil.Process().memory_full_info().uss))
        if f"{AGENTS} agents" not in "\n".join(plain(screen.query_one("#body", Lines).rows)):
            raise SystemExit("the Run screen was not shown")
    app.bridge.close()
    return sizes[0], sizes[1]


def _snapshot(at: float) -> Snapshot:
    said = f"agent-{int(at) % 16}: x.svs changed: sent again"
    events = tuple(Event(at - 60 * back, "retry", said) for back in range(9))
    return Snapshot(
        execution=NAME,
        profile="lab",
        source="/mnt/lab",
        destination="s3://lab/img",
        status=Status.TRANSFERRING,
        started_at=BEGAN,
        ended_at=None,
        heartbeat_at=at,
        runner_alive=True,
        runner_pid=1,
        host="agent-01",
        totals=totals(at, BEGAN),
        files_per_second=540.0,
        bytes_per_second=sample(at, BEGAN).bytes_per_second,
        limit_bytes_per_second=2.5e9,
        eta_seconds=(8_000.0, 9_000.0 + at % 600),
        agents=tuple(agents(at)),
        tasks=(),
        failure_counts={},
        events=events,
    )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_day(float(sys.argv[1])))))
