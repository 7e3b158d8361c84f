"""Executions, profiles and surveys as Home lists them: every state, at fixed times."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import msgspec

from engine.model import AgentSnapshot, Bytes, Snapshot, Status, Tally, Totals
from profiles.schema import Place, Profile
from xsync_tui.drawing.facts import Execution, Host, SurveyBrief
from xsync_tui.drawing.home import HomeFacts
from xsync_tui.drawing.rows import Canvas

NOW = 1_747_192_327.0
"""14 May 2025, 03:12:07 UTC, a Wednesday."""

CANVAS = Canvas(80, 20, zone=UTC)
ASCII = Canvas(80, 20, unicode=False, zone=UTC)
WIDE = Canvas(120, 36, zone=UTC)

HOSTILE = "x\x1b]0;owned\x07\x1b[2J\u202e[/foo]\udcff\u200b"
"""A name that sets the title, clears the screen, turns the direction, is bad markup, no UTF-8, and partly invisible."""

HOST = Host("agent-01", "bond0", 20e9, 16, 212 * 10**9)


def totals(*, done: float = 0.61, failed: int = 0, listed: bool = True, files: int = 12_412_907) -> Totals:
    """A ledger of 48.1 TB of which a share is done."""
    size, moved = 48_100_000_000_000, int(files * done) - failed
    return Totals(
        Tally(discovered=files, transferred=moved, failed=failed, verified=moved),
        Tally(discovered=213_044),
        Bytes(size, int(size * done), size - int(size * done)),
        listing_complete=listed,
    )


def snapshot(
    status: Status = Status.TRANSFERRING, *, profile: str | None = "lab-images", **changes: object
) -> Snapshot:
    """An execution at NOW, live unless ``changes`` say otherwise."""
    ended = status.ended
    base = Snapshot(
        execution="20250513-214803-lab-images-3f2a",
        profile=profile,
        source="file:///mnt/lab",
        destination="s3://lab/img",
        status=status,
        started_at=NOW - 19_444,
        ended_at=NOW - 600 if ended else None,
        heartbeat_at=NOW - 1,
        runner_alive=not ended,
        runner_pid=21634,
        host="agent-01",
        totals=totals(done=1.0) if ended else totals(),
        files_per_second=0.0 if ended else 540.0,
        bytes_per_second=0.0 if ended else 2_170_000_000.0,
        eta_seconds=None if ended else (8_580.0, 10_680.0),
        agents=tuple(AgentSnapshot(f"agent-{n}", "working") for n in range(1, 5)),
    )
    return msgspec.structs.replace(base, **changes)


def execution(found: Snapshot | None, name: str = "20250513-214803-lab-images-3f2a", problem: str = "") -> Execution:
    """It, in a folder."""
    return Execution(Path("/executions") / name, found, problem)


def profile(name: str, source: str = "file:///mnt/lab", destination: str = "s3://lab/img") -> Profile:
    """A saved profile."""
    return Profile(schema=1, name=name, source=Place(source), destination=Place(destination))


def survey(location: str = "/mnt/lab") -> SurveyBrief:
    """A survey of yesterday."""
    return SurveyBrief(location, NOW - 86_400, False, 12_412_907, 48_100_000_000_000, 72.0)


FACTS = HomeFacts(
    HOST,
    {
        "finance": profile("finance", "file:///mnt/fin", "s3://fin"),
        "lab-images": profile("lab-images"),
        "pathology": profile("pathology", "file:///mnt/wsi", "s3://wsi"),
        "scratch": profile("scratch", "file:///scratch", "s3://scratch"),
        "fresh": profile("fresh", "file:///mnt/fresh", "s3://fresh"),
        "broken": "broken.toml: source.url: missing",
    },
    [
        execution(
            snapshot(
                Status.ERROR,
                profile="finance",
                source="/mnt/fin",
                destination="s3://fin",
                totals=totals(done=1.0, failed=12),
                failure_counts={"vanished": 12},
            )
        ),
        execution(snapshot(Status.SUCCESS)),
        execution(snapshot(profile="pathology", source="/mnt/wsi", destination="s3://wsi")),
        execution(
            snapshot(profile=None, source="/old", destination="s3://old", heartbeat_at=NOW - 300, runner_alive=False),
            "20250512-000000-3f2b",
        ),
    ],
    {"/mnt/fresh": survey("/mnt/fresh")},
    {"lab-images": NOW + 22_000},
)
"""One of everything: what needs a person, what runs, what is due, what was only surveyed, and a broken profile."""
