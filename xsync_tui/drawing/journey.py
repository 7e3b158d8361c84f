"""What a subject has reached: its title and the steps of its journey, from what is known of it. Pure."""

from __future__ import annotations

from engine.model import Snapshot, Status
from engine.quantities import format_bytes, format_duration, format_share
from xsync_tui.cli.clock import clock
from xsync_tui.cli.headline import Life, life_of
from xsync_tui.drawing.facts import Facts
from xsync_tui.drawing.frame import Step, Title
from xsync_tui.drawing.rows import Canvas, Role
from xsync_tui.places import PLACES


def title_of(facts: Facts, now: float, canvas: Canvas) -> Title:
    """The title of a screen about this subject; without an execution it says so."""
    state, liveness, role = ("no run yet", "", Role.MUTED) if facts.subject.name else ("", "", Role.MUTED)
    if facts.snapshot is not None:
        state, liveness, role = _state(facts.snapshot, now, canvas)
    source = "" if facts.source == facts.subject.name else facts.source  # a bare location is its own name
    return Title(facts.subject.name or "xsync", source, facts.destination, state, liveness, role)


OLD_SECONDS = 7 * 86_400
"""As old as this a survey is worth a word."""


def steps_of(facts: Facts, now: float) -> list[Step]:
    """The steps of the journey at ``now`` (Unix time), each with what it has reached."""
    reached = {
        "survey": _survey(facts, now),
        "plan": _plan(facts),
        "test": _test(facts),
        "run": _run(facts.snapshot),
        "cutover": _cutover(facts),
        "report": "ok" if facts.snapshot is not None and facts.snapshot.status.ended else "-",
    }
    named = facts.subject.name != ""
    return [Step(p.digit, p.label, reached.get(p.name, "") if named else "") for p in PLACES if p.digit]


def progress(snapshot: Snapshot) -> str:
    """How far an execution is: percent by bytes, rounded down; while more may be found, only how much is done."""
    of = snapshot.totals.bytes
    done = of.done
    if not snapshot.totals.listing_complete:
        return f"{format_bytes(done)} so far"
    if not of.source:
        return "0 B"
    share = done / of.source
    return format_share(share if snapshot.status.ended else min(share, 0.999), 1.0)  # the last checks come after it


def _state(snapshot: Snapshot, now: float, canvas: Canvas) -> tuple[str, str, Role]:
    silent = format_duration(max(0.0, now - snapshot.heartbeat_at))
    match life_of(snapshot, now):
        case Life.GONE:
            return f"RUNNER GONE since {clock(snapshot.heartbeat_at, canvas.zone, now)}", f"({silent})", Role.ALARM
        case Life.ENDED:
            return str(snapshot.status), "", Role.GOOD if snapshot.status is Status.SUCCESS else Role.LOOK
        case Life.SILENT:
            return str(snapshot.status), f"silent {silent}", Role.LOOK
        case Life.LIVE:
            return str(snapshot.status), "live", Role.MUTED if snapshot.status is Status.PAUSED else Role.GOOD


def _survey(facts: Facts, now: float) -> str:
    if facts.survey is None:
        return "-"
    if facts.survey.partial:
        return "partial"
    return "old" if now - facts.survey.surveyed_at > OLD_SECONDS else "ok"


def _plan(facts: Facts) -> str:
    """A plan is made anew whenever it is looked at: ``ok`` where the last run began by this survey, ``new`` before."""
    if facts.snapshot is None:
        return "-"
    return "new" if facts.survey is not None and facts.survey.surveyed_at > facts.snapshot.started_at else "ok"


def _test(facts: Facts) -> str:
    measured = facts.profile is not None and facts.profile.measured.date is not None
    return "ok" if measured else "-"


def _run(snapshot: Snapshot | None) -> str:
    if snapshot is None:
        return "-"
    if snapshot.status is Status.SUCCESS:
        return "ok"
    return snapshot.status.lower() if snapshot.status.ended else progress(snapshot).removesuffix(" so far")


def _cutover(facts: Facts) -> str:
    if facts.cutover is None:
        return "-"
    return "ok" if "hand-over" in facts.cutover.steps else "begun"
