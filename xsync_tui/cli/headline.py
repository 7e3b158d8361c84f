"""The first lines of a plain view: what it is, whether it is still true, and the answer a person looks for."""

from __future__ import annotations

from enum import Enum

from engine.model import Snapshot, Status
from engine.quantities import counted, format_bytes, format_count, format_duration, format_duration_range
from xsync_tui.cli.clock import clock, clock_range
from xsync_tui.cli.look import Line, Look, Role
from xsync_tui.cli.outcome import files_left, held_back, work_left
from xsync_tui.text import width_of

SILENT_SECONDS = 10.0
"""After this long without a heartbeat a runner is called silent; one that begins, and holds no lock yet, gone."""

GONE_SECONDS = 2.0
"""A runner holds its lock as long as it lives: where that is free, it is gone this long after its last heartbeat."""

_BEGINNING = (Status.QUEUED, Status.LAUNCHING)

_LEAST_ROUTE_CELLS = 16


class Life(Enum):
    """Whether what is on screen is still true."""

    ENDED = "ended"
    LIVE = "live"
    SILENT = "silent"
    GONE = "gone"


def life_of(snapshot: Snapshot, now: float) -> Life:
    """Tell a live runner from a silent one and from one that is gone: its heartbeat is old and its lock is free."""
    if snapshot.status.ended:
        return Life.ENDED
    locked = snapshot.runner_alive or snapshot.status in _BEGINNING
    if now - snapshot.heartbeat_at <= (SILENT_SECONDS if locked else GONE_SECONDS):
        return Life.LIVE
    return Life.SILENT if snapshot.runner_alive else Life.GONE


def headline(snapshot: Snapshot, now: float, look: Look) -> list[Line]:
    """Title and answer: one sentence, or the lines that say what is safe when the runner is gone."""
    return [_title(snapshot, now, look), *_answer(snapshot, now, look)]


def _title(snapshot: Snapshot, now: float, look: Look) -> Line:
    right, role = _state(snapshot, now, look)
    room = look.width - width_of(right) - 3
    name = look.text(snapshot.profile or snapshot.execution, max(1, min(room, 28)))
    route = _route(snapshot, look, room - width_of(name) - 2)
    left = f" {name}  {route}"
    return Line(left + " " * (look.width - width_of(left) - width_of(right)) + right, role)


def _state(snapshot: Snapshot, now: float, look: Look) -> tuple[str, Role]:
    """The right end of the title: state, liveness, clock."""
    silent, beat = now - snapshot.heartbeat_at, snapshot.heartbeat_at
    match life_of(snapshot, now):
        case Life.GONE:
            return f"RUNNER GONE since {clock(beat, look.zone, now)} ({format_duration(silent)})", Role.ALARM
        case Life.ENDED:
            role = Role.GOOD if snapshot.status is Status.SUCCESS else Role.LOOK
            return f"{snapshot.status}  {clock(snapshot.ended_at or beat, look.zone, now)}", role
        case Life.SILENT:
            return f"{snapshot.status}  silent {format_duration(silent)}  {clock(now, look.zone)}", Role.LOOK
        case Life.LIVE:
            return f"{snapshot.status}  live  {clock(now, look.zone)}", Role.TITLE


def _route(snapshot: Snapshot, look: Look, cells: int) -> str:
    if cells < _LEAST_ROUTE_CELLS:
        return ""
    arrow = " → " if look.unicode else " -> "
    source, destination = (look.text(url.removeprefix("file://")) for url in (snapshot.source, snapshot.destination))
    side = (cells - len(arrow)) // 2
    if width_of(source) + len(arrow) + width_of(destination) > cells:
        # Each may take what the other leaves of its half.
        ends = [cells - len(arrow) - min(side, width_of(other)) for other in (destination, source)]
        source, destination = (look.text(end, room) for end, room in zip((source, destination), ends, strict=True))
    return source + arrow + destination


def _answer(snapshot: Snapshot, now: float, look: Look) -> list[Line]:
    """What a person wants to know first: one sentence, or the lines that say what is safe."""
    if life_of(snapshot, now) is Life.GONE:
        return gone_lines(snapshot, now, look)
    lines = [Line(f" {sentence(snapshot, now, look)}")]
    # Of a drained or cancelled execution the message only says so again.
    if snapshot.message and snapshot.status not in (Status.CANCELLED, Status.INTERRUPTED):
        lines.append(Line(f" ! {look.text(snapshot.message, look.width - 3)}", Role.LOOK))
    return lines


def sentence(snapshot: Snapshot, now: float, look: Look, go_on: str = "") -> str:
    """The answer in one sentence, of an execution whose runner is not gone; ``go_on``: how to go on where one can."""
    files, go_on = snapshot.totals.files, go_on or resume_words(snapshot)
    match snapshot.status:
        case Status.QUEUED | Status.LAUNCHING:
            return "Starting agents."
        case Status.PREPARING:
            return "Listing the source; the first files follow within seconds."
        case Status.PAUSED:
            return f"Paused: nothing is sent. {go_on}"
        case Status.CANCELLING:
            return "Agents finish what they hold, then all ends. Finished files stay."
        case Status.SUCCESS:
            return _nothing_new(snapshot) or _moved(snapshot)
        case Status.ERROR if held_back(snapshot):
            return f"All is copied, nothing was deleted. {_nothing_new(snapshot) or _moved(snapshot)}"
        case Status.ERROR if not work_left(snapshot) and not snapshot.failure_counts and files.discovered:
            return f"Nothing is left to copy, but it failed. {_moved(snapshot)}"
        case Status.ERROR if work_left(snapshot) or not snapshot.failure_counts:
            return f"Ended early, {files_left(snapshot)}. {go_on}"
        case Status.ERROR:
            return f"{format_count(files.failed)} of {counted(files.discovered, 'file')} failed. {_moved(snapshot)}"
        case Status.CANCELLED:
            return f"Cancelled with {files_left(snapshot)}. Finished files stay."
        case Status.INTERRUPTED:
            return f"{files_left(snapshot)}. {go_on}"
        case Status.SUPERSEDED:
            return f"Superseded by {snapshot.superseded_by}: what it had copied counts there."
        case _:
            return _estimate(snapshot, now, look)


def _nothing_new(snapshot: Snapshot) -> str:
    """What a run tells that had nothing to send; empty if it sent a file."""
    files = snapshot.totals.files
    if files.transferred or snapshot.totals.bytes.transferred:
        return ""
    found = f"{counted(files.discovered, 'file')} looked at" if files.discovered else "no file was found"
    return f"Nothing had to be sent: {found} in {format_duration(snapshot.seconds)}."


def _moved(snapshot: Snapshot) -> str:
    moved, size = snapshot.totals.files.transferred, snapshot.totals.bytes.transferred
    return f"{counted(moved, 'file')}, {format_bytes(size)} transferred in {format_duration(snapshot.seconds)}."


def _estimate(snapshot: Snapshot, now: float, look: Look) -> str:
    if snapshot.eta_seconds is None:
        return "No estimate yet." if snapshot.totals.listing_complete else "No estimate yet: the listing goes on."
    low, high = snapshot.eta_seconds
    return f"Done {clock_range(now + low, now + high, look.zone, now)}, in {format_duration_range(low, high)}."


def resume_words(snapshot: Snapshot) -> str:
    """How to go on from a shell."""
    return f"Go on: xsync resume {snapshot.execution}"


def gone_lines(snapshot: Snapshot, now: float, look: Look, go_on: str = "") -> list[Line]:
    """What is safe, and how to go on, where the runner is gone."""
    files, host = snapshot.totals.files, look.text(snapshot.host, 20)
    beat = clock(snapshot.heartbeat_at, look.zone, now)
    lines = [
        Line(
            f" {look.cross} The runner (pid {snapshot.runner_pid} on {host}) ended about {beat}. Nothing moves.",
            Role.ALARM,
        ),
        Line(f"   Safe: {counted(files.transferred, 'file')} transferred, no half file under its final name."),
        Line(f"   {files_left(snapshot)}. {go_on or resume_words(snapshot)}"),
    ]
    if snapshot.message:
        lines.append(Line(f"   Last words: {look.text(snapshot.message, look.width - 15)}"))
    return lines
