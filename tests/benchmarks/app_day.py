"""``python -m tests.benchmarks.app_day STEP``: a day of the Run screen with 16 agents, a look each STEP seconds.

The clock is a number that is counted up. Prints one line of JSON: bytes of memory after two hours and at the end.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from typing import Any

import psutil

from engine.model import Event, Snapshot, Status
from tests.benchmarks.run_feed import AGENTS, DAY, NAME, agents, sample, totals
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.facts import Facts, Subject
from xsync_tui.drawing.graph import SPANS, window
from xsync_tui.drawing.rows import plain
from xsync_tui.screens.base import BaseScreen
from xsync_tui.screens.run import RunFacts
from xsync_tui.widgets.lines import Lines

BEGAN = 1_747_000_000.0
SETTLED = 7_200.0
"""Seconds after which all that is kept for some time is full."""


class _App(XsyncApp):
    """Its clock goes as it is told."""

    at = BEGAN

    def now(self) -> float:
        """The simulated time."""
        return self.at


async def _day(step: float) -> tuple[int, int]:
    app, sizes = _App(Subject(execution=NAME)), []
    async with app.run_test(size=(80, 24)) as pilot:
        app.go("run")
        await pilot.pause()
        screen: BaseScreen[Any] = app.screen  # type: ignore[assignment]
        if screen._timer is not None:
            screen._timer.stop()  # what it shows comes from here
        for look in range(int(DAY / step)):
            app.at = BEGAN + step * look
            snapshot = _snapshot(app.at)
            shown = window(BEGAN, app.at, SPANS[look // 500 % len(SPANS)][1], screen.canvas)
            rates = (sample(shown.start + shown.step * at, BEGAN).bytes_per_second for at in range(shown.buckets))
            screen.facts = Facts(app.subject, snapshot=snapshot)
            screen.value = RunFacts(snapshot, shown, list[float | None](rates), [])
            screen.trouble = ""
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
