"""Executions as the Run screen sees them, watched for a while: fleets, agents that stall, limits, nothing yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import msgspec

from engine.model import AgentSnapshot, AgentTimes, Bytes, Event, Snapshot, Status, Tally, TaskSnapshot, Totals
from xsync_tui.drawing.agents import in_order
from xsync_tui.drawing.graph import window
from xsync_tui.drawing.past import AgentPast, Past, agents_window
from xsync_tui.drawing.rows import Canvas
from xsync_tui.drawing.run import RunView
from xsync_tui.drawing.seen import Seen

NOW = 1_747_192_327.0  # Wed 2025-05-14 03:12:07 UTC
CANVAS = Canvas(80, 20, zone=UTC)
ASCII = CANVAS._replace(unicode=False)
WIDE = Canvas(120, 36, zone=UTC)
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e\udcff\n細胞/[/foo]" + "x" * 300

TOTALS = Totals(
    Tally(discovered=12_412_907, transferred=7_571_203, failed=3, verified=7_571_203),
    Tally(discovered=213_044),
    Bytes(source=48_100_000_000_000, transferred=29_400_000_000_000, pending=18_700_000_000_000),
    listing_complete=True,
)


def agent(number: int, state: str = "working", **more: Any) -> AgentSnapshot:
    """``agent-<number>``, which waits for its path most of the time."""
    usual: dict[str, Any] = {
        "path": "2023/May/plate 3/scan.svs",
        "bytes": 5_000,
        "bytes_per_second": 539e6 if state == "working" else 0.0,
        "files_per_second": 134.2 if state == "working" else 0.0,
        "in_flight": 32,
        "window": 64,
        "reported_at": NOW - 550,
        "times": AgentTimes(100, source=20, destination=70, cpu=10, busiest=5),
    }
    return AgentSnapshot(f"agent-{number}", state, **{**usual, **more})


def fleet(count: int, **states: str) -> tuple[AgentSnapshot, ...]:
    """So many agents; ``a7="lost"`` makes the seventh lost."""
    return tuple(agent(number, states.get(f"a{number}", "working")) for number in range(1, count + 1))


def tasks(count: int) -> tuple[TaskSnapshot, ...]:
    """So many tasks, each preferred by the agent of its number."""
    return tuple(
        TaskSnapshot(
            str(2021 + number), ("/",), (), f"agent-{number}", Tally(100, 50), Bytes(1000, 550, 450 - 30 * number)
        )
        for number in range(1, count + 1)
    )


def run(**changes: Any) -> Snapshot:
    """An execution that transfers with four agents."""
    usual = Snapshot(
        execution="20250513-214847-lab-images-3f2a",
        profile="lab-images",
        source="file:///mnt/lab",
        destination="s3://lab/img",
        status=Status.TRANSFERRING,
        started_at=NOW - 19_400,
        ended_at=None,
        heartbeat_at=NOW - 1,
        runner_alive=True,
        runner_pid=21634,
        host="agent-01",
        totals=TOTALS,
        files_per_second=540,
        bytes_per_second=2.17e9,
        limit_bytes_per_second=2.5e9,
        eta_seconds=(8_580, 10_680),
        agents=fleet(4),
        tasks=tasks(4),
        failure_counts={"unreadable": 1, "changed while read": 2},
        events=(
            Event(NOW - 145, "limit", "kim@agent-01 asked to limit: done"),
            Event(NOW - 9, "retry", "agent-2: x.svs changed: sent again"),
        ),
    )
    snapshot = msgspec.structs.replace(usual, **changes)
    if snapshot.runner_alive:
        return snapshot
    return msgspec.structs.replace(snapshot, agents=tuple(agent.without_runner() for agent in snapshot.agents))


def fresh(**changes: Any) -> Snapshot:
    """An execution of which nothing is known yet."""
    nothing: dict[str, Any] = {
        "totals": Totals(),
        "files_per_second": 0.0,
        "bytes_per_second": 0.0,
        "eta_seconds": None,
        "agents": (),
        "tasks": (),
        "failure_counts": {},
        "events": (),
        "started_at": NOW - 4,
    }
    return run(**{**nothing, **changes})


def seen(snapshot: Snapshot, seconds: float = 300.0) -> Seen:
    """Someone who looked at it for so long; agents that are stalled or lost stood still for the last 140 s."""
    watcher = Seen()
    for back in range(int(seconds), -1, -5):
        agents = tuple(_before(each, back) for each in snapshot.agents)
        watcher.add(msgspec.structs.replace(snapshot, agents=agents, eta_seconds=None), NOW - back)
    return watcher


def past(snapshot: Snapshot, canvas: Canvas, **more: Any) -> Past:
    """What the journal kept of the last 15 minutes: for 140 s what is stalled stood, and what is lost was gone."""
    shown = agents_window(snapshot.started_at, NOW, 900.0, len(in_order(snapshot.agents)), canvas)
    rates: dict[str, dict[int, float]] = {}
    for bucket in range(shown.bucket(NOW) + 1):
        back = int(NOW - shown.start - shown.step * bucket)
        for number, each in enumerate(snapshot.agents):
            if each.state != "lost" or back > 140:
                usual = 2.6e8 + 5e7 * (bucket * 3 % 7 - number % 3)
                rates.setdefault(each.name, {})[bucket] = 0.0 if each.state == "stalled" and back <= 140 else usual
    return Past(AgentPast(shown, rates), **more)


def _before(found: AgentSnapshot, back: int) -> AgentSnapshot:
    stood = found.state in ("stalled", "lost")
    moved = stood and back > 140
    rate = (500e6 if back > 160 else 300e6) if not stood or moved else 0.0
    return msgspec.structs.replace(found, bytes_per_second=rate, bytes=10_000 - back if moved else 10_000)


def view(snapshot: Snapshot, canvas: Canvas, values: Sequence[float | None] | None = None, **more: Any) -> RunView:
    """The execution as it was watched for five minutes, over the last hour."""
    end = snapshot.ended_at or min(NOW, snapshot.heartbeat_at + 1)
    shown = window(snapshot.started_at, end, 3_600.0, canvas)
    if values is None:
        whole = [2.1e9 + 1e6 * (index * 7 % 40) for index in range(shown.buckets)]
        third = shown.buckets // 3
        values = [*whole[:third], *[None] * 4, *whole[third + 4 :]]
    more = {"past": past(snapshot, canvas), **more}
    return RunView(snapshot, NOW, seen(snapshot), shown, values, **more)
