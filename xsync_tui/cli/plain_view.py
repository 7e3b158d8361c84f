"""A snapshot of an execution drawn as plain lines: pure, never wider than asked, safe for any name."""

from __future__ import annotations

from engine.model import Snapshot
from engine.quantities import (
    format_bytes,
    format_count,
    format_count_short,
    format_duration_range,
    format_rate,
)
from xsync_tui.cli.agent_lines import agent_lines
from xsync_tui.cli.clock import clock, clock_range
from xsync_tui.cli.headline import Life, headline, life_of
from xsync_tui.cli.look import Line, Look, Role, canvas_of, paint
from xsync_tui.drawing.ledger import ledger
from xsync_tui.drawing.progress import copied, joined, percent_done, share_done
from xsync_tui.drawing.rows import plain
from xsync_tui.text import width_of

_EVENTS = 3
_BAR_CELLS = 20
_LEAST_BAR_CELLS = 5


def view(snapshot: Snapshot, now: float, look: Look, foot: str = "") -> list[str]:
    """Draw ``snapshot`` as it stands at ``now`` (seconds since the epoch) in at most ``look.height`` rows.

    ``foot`` is a last line of the caller's, such as what Ctrl-C does. Where rows are short, events go, then agents.
    """
    moves = life_of(snapshot, now) in (Life.LIVE, Life.SILENT)
    top = [*headline(snapshot, now, look), _totals(snapshot, look, moves=moves), *_limit(snapshot, now, look)]
    adds_up = [Line(row) for row in plain(ledger(snapshot.totals.files, canvas_of(look)))]
    bottom = [*adds_up, *deleted_lines(snapshot), *failed_lines(snapshot, look)]
    last = [Line(f" {foot}")] if foot else []
    room = look.height - len(top) - len(bottom) - len(last)
    agents = agent_lines(snapshot, look, room) if moves else []
    events = _events(snapshot, now, look, min(_EVENTS, room - len(agents)))
    return paint([*top, *agents, *bottom, *events, *last][: look.height], look)


def one_line(snapshot: Snapshot, now: float, look: Look) -> str:
    """The same truth in one line, for logs and pipes; not cut."""
    files, life = snapshot.totals.files, life_of(snapshot, now)
    parts = [
        clock(now, look.zone),
        "RUNNER GONE" if life is Life.GONE else str(snapshot.status),
        f"{format_count(files.discovered)} found",
        f"{format_count(files.transferred)} transferred",
        f"{format_count(files.skipped)} skipped",
        f"{format_count(files.failed)} failed",
        f"{format_count(files.excluded)} excluded",
        f"{format_count(files.pending)} pending",
        format_bytes(snapshot.totals.bytes.transferred),
        format_rate(snapshot.bytes_per_second),
        *[line.text.strip() for line in deleted_lines(snapshot)],
    ]
    if limited := limit_words(snapshot, now, look):
        parts.append(limited)
    if snapshot.eta_seconds and life is Life.LIVE:
        parts.append(f"done in {format_duration_range(*snapshot.eta_seconds)}")
    if snapshot.superseded_by:
        parts.append(f"superseded by {snapshot.superseded_by}")
    if snapshot.message:
        parts.append(look.text(snapshot.message))
    return "  ".join(parts)


def limit_words(snapshot: Snapshot, now: float, look: Look) -> str:
    """The bandwidth limit that holds, as ``limit 200 MB/s until 18:00``; empty if none does, or nothing runs."""
    rate, until = snapshot.limit_bytes_per_second, snapshot.limit_until
    if rate is None or life_of(snapshot, now) not in (Life.LIVE, Life.SILENT):
        return ""
    return f"limit {format_rate(rate)}" + (f" until {clock_range(until, until, look.zone, now)}" if until else "")


def _limit(snapshot: Snapshot, now: float, look: Look) -> list[Line]:
    words = limit_words(snapshot, now, look)
    return [Line(f" {words}")] if words else []


def _totals(snapshot: Snapshot, look: Look, *, moves: bool) -> Line:
    """Rate, how much of how much, and how far the listing is; shares only once the total stands still."""
    totals = snapshot.totals
    rates = [format_rate(snapshot.bytes_per_second), f"{format_count_short(snapshot.files_per_second)} files/s"]
    parts = [*(rates if moves else []), *copied(snapshot)]
    if not totals.listing_complete:
        return Line(joined([*parts, f"{format_count_short(totals.folders.discovered)} folders so far"], look.width))
    share = share_done(snapshot)
    percent = percent_done(snapshot, share)
    room = min(_BAR_CELLS, look.width - width_of(joined([*parts, percent, "listed all"], 1_000)) - 1)
    bar = f"{look.bar(share, room)} " if room >= _LEAST_BAR_CELLS else ""
    return Line(joined([*parts, bar + percent, "listed all"], look.width))


def deleted_lines(snapshot: Snapshot) -> list[Line]:
    """What is deleted so far of what is to be."""
    totals = snapshot.totals
    deleted, found = totals.files.deleted + totals.folders.deleted, totals.deletions
    if not deleted and (found is None or found.held_back or not found.files + found.folders):
        return []
    of = f" of {format_count(found.files + found.folders)}" if found is not None and not snapshot.status.ended else ""
    return [Line(f" {format_count(deleted)}{of} deleted")]


def _counted(number: int, what: str) -> str:
    return f"{format_count(number)} {what}{'' if number == 1 else 's'}"


def failed_lines(snapshot: Snapshot, look: Look) -> list[Line]:
    """How many failed of what, most first."""
    files, folders = snapshot.totals.files.failed, snapshot.totals.folders.failed
    if not files + folders:
        return []
    reasons = sorted(snapshot.failure_counts.items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{format_count(number)} {look.text(reason, 40)}" for reason, number in reasons)
    both = " and ".join(_counted(number, what) for number, what in ((files, "file"), (folders, "folder")) if number)
    start = f" {look.cross} {both if folders else format_count(files)} failed: "
    return [Line(start + look.text(said, max(0, look.width - width_of(start))), Role.ALARM)]


def _events(snapshot: Snapshot, now: float, look: Look, rows: int) -> list[Line]:
    if rows < 1:
        return []
    lines = []
    for event in sorted(snapshot.events, key=lambda event: event.at)[-rows:]:
        start = f" {clock(event.at, look.zone, now)} "
        lines.append(Line(start + look.text(event.text, max(0, look.width - width_of(start)))))
    return lines
