"""Home: what needs a person, what runs, what is due, and the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from engine.model import Snapshot, Status
from engine.quantities import format_bytes, format_count, format_rate
from profiles.schema import Profile
from xsync_tui.cli.clock import clock, clock_range
from xsync_tui.cli.headline import Life, life_of
from xsync_tui.drawing.facts import Execution, Host, Subject, SurveyBrief
from xsync_tui.drawing.frame import route_text
from xsync_tui.drawing.journey import percent
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row

_ONE_ROW_FROM = 110
_NAME, _STATE, _MOVED = 12, 25, 18
"""Cells of the columns, gaps included."""


class Group(IntEnum):
    """Why an entry stands where it does, in the order in which they stand."""

    NEEDS = 0
    RUNS = 1
    DUE = 2
    REST = 3


class HomeFacts(NamedTuple):
    """All that Home shows. ``due``: Unix time of the next scheduled run, by profile."""

    host: Host
    profiles: Mapping[str, Profile | str] = {}
    executions: Sequence[Execution] = ()
    surveys: Mapping[str, SurveyBrief] = {}
    due: Mapping[str, float] = {}
    stopped: frozenset[str] = frozenset()


class Entry(NamedTuple):
    """A migration in the list. ``why``: for those that need a person, the sentence that says so."""

    subject: Subject
    group: Group
    state: str
    role: Role
    moved: str
    next: str
    source: str
    destination: str
    details: tuple[str, str] = ("", "")
    why: str = ""
    since: float = 0.0


def entries(facts: HomeFacts, now: float, canvas: Canvas) -> list[Entry]:
    """Migrations: those that need a person first, then what runs, what is due, and the rest; the newest first."""
    newest: dict[tuple[str, ...], Execution] = {}
    for each in facts.executions:
        newest[_belongs_to(each, facts.profiles)] = each
    found = [
        _of_profile(name, profile, newest.pop(("profile", name), None), facts, now, canvas)
        for name, profile in facts.profiles.items()
    ]
    found += [_of_execution(each, Subject(execution=each.folder.name), now, canvas) for each in newest.values()]
    return sorted(found, key=lambda entry: (entry.group, -entry.since, entry.subject.name))


def _belongs_to(each: Execution, profiles: Mapping[str, Profile | str]) -> tuple[str, ...]:
    if each.snapshot is None:
        return ("broken", each.folder.name)
    if each.snapshot.profile in profiles:
        return ("profile", str(each.snapshot.profile))
    return ("route", each.snapshot.source, each.snapshot.destination)


def _of_profile(
    name: str, profile: Profile | str, latest: Execution | None, facts: HomeFacts, now: float, canvas: Canvas
) -> Entry:
    subject = Subject(profile=name)
    if isinstance(profile, str):
        why = f"the profile {name} cannot be used"
        return Entry(subject, Group.NEEDS, "profile not valid", Role.ALARM, "-", "enter says why", "", "", why=why)
    if latest is not None:
        entry = _of_execution(latest, subject, now, canvas)
    else:
        surveyed = facts.surveys.get(profile.source.url.removeprefix("file://").rstrip("/") or "/")
        size = f"{format_bytes(surveyed.bytes)} found" if surveyed else "-"
        entry = Entry(
            subject,
            Group.REST,
            "surveyed, no run yet" if surveyed else "not surveyed",
            Role.PLAIN,
            size,
            "3 plan it" if surveyed else "2 survey it",
            profile.source.url,
            profile.destination.url,
        )
    if name in facts.stopped:
        return entry._replace(
            group=Group.NEEDS, role=Role.ALARM, next="schedule STOPPED", why=f"the schedule of {name} stopped"
        )
    if name in facts.due and entry.group is Group.REST:
        when = clock(facts.due[name], canvas.zone, now)
        when = when[:5] + when[8:]
        return entry._replace(group=Group.DUE, next=f"next run {when}", since=-facts.due[name])
    return entry


def _of_execution(each: Execution, subject: Subject, now: float, canvas: Canvas) -> Entry:
    snapshot = each.snapshot
    if snapshot is None:
        why = f"the journal of {each.folder.name} cannot be read"
        return Entry(subject, Group.NEEDS, "journal damaged", Role.ALARM, "-", "enter says why", "", "", why=why)
    life = life_of(snapshot, now)
    if life is Life.ENDED:
        return _ended(snapshot, subject, now, canvas)
    moved = f"{percent(snapshot)} {_bar(snapshot, canvas)}"
    common = (moved, _ends(snapshot, now, canvas), snapshot.source, snapshot.destination)
    if life is Life.GONE:
        why = f"the runner of {subject.name} is gone"
        files = f"{format_count(snapshot.totals.files.pending)} files left"
        since = f"since {clock(snapshot.heartbeat_at, canvas.zone, now)}"
        return Entry(
            subject,
            Group.NEEDS,
            "RUNNER GONE",
            Role.ALARM,
            percent(snapshot),
            "R resume",
            *common[2:],
            (since, files),
            why,
            snapshot.heartbeat_at,
        )
    rate = _rate(snapshot.bytes_per_second, canvas) if snapshot.bytes_per_second else ""
    role = Role.LOOK if life is Life.SILENT else Role.GOOD
    agents = f"{sum(a.state == 'working' for a in snapshot.agents)} of {len(snapshot.agents)} agents"
    state = f"{snapshot.status} {rate}".strip()
    return Entry(subject, Group.RUNS, state, role, *common, (agents, f"on {snapshot.host}"), since=snapshot.started_at)


def _ended(snapshot: Snapshot, subject: Subject, now: float, canvas: Canvas) -> Entry:
    at = snapshot.ended_at or snapshot.heartbeat_at
    of, failed = snapshot.totals.bytes, snapshot.totals.files.failed
    moved = f"{format_bytes(of.transferred)} of {format_bytes(of.source)}"
    route = (snapshot.source, snapshot.destination)
    details = (f"ended {clock(at, canvas.zone, now)}", "")
    match snapshot.status:
        case Status.SUCCESS:
            return Entry(subject, Group.REST, "SUCCESS", Role.GOOD, moved, "7 report", *route, details, since=at)
        case Status.CANCELLED:
            return Entry(subject, Group.REST, "CANCELLED", Role.LOOK, moved, "7 report", *route, details, since=at)
        case Status.INTERRUPTED:
            why = f"{subject.name} was interrupted"
            left = f"{format_count(snapshot.totals.files.pending)} files left"
            return Entry(
                subject, Group.NEEDS, "INTERRUPTED", Role.ALARM, moved, "R resume", *route, (details[0], left), why, at
            )
        case _:
            state = f"ERROR, {format_count(failed)} failed" if failed else "ERROR"
            why = (
                f"{subject.name} ended with {format_count(failed)} failed files"
                if failed
                else f"{subject.name} ended as ERROR"
            )
            return Entry(
                subject,
                Group.NEEDS,
                state,
                Role.ALARM,
                moved,
                "7 report" if not failed else "f failures",
                *route,
                details,
                why,
                at,
            )


def answer(found: Sequence[Entry], canvas: Canvas) -> Row:
    """One sentence: what needs a person, how many run, what is due."""
    needs, runs, due = ([e for e in found if e.group is group] for group in (Group.NEEDS, Group.RUNS, Group.DUE))
    parts = [f"{len(runs)} {'runs' if len(runs) == 1 else 'run'}." if runs else "Nothing runs."]
    if due:
        parts.append(f"{len(due)} {'is' if len(due) == 1 else 'are'} due: {due[0].next.removeprefix('next run ')}.")
    rest = "  ".join(parts)
    if not needs:
        return row(" ", Piece("Nothing needs you.", Role.STRONG), f"  {rest}")
    room = canvas.width - len(rest) - 6
    verb = "needs" if len(needs) == 1 else "need"
    first = canvas.text(f"{len(needs)} {verb} you: {needs[0].why}.", room)
    return row(" ", Piece(first, Role.ALARM), f"  {rest}")


def home_rows(found: Sequence[Entry], cursor: int, canvas: Canvas) -> tuple[list[Row], int | None]:
    """The answer, headings and entries as far as they fit, around entry ``cursor``; and the row that one is on."""
    wide = canvas.width >= _ONE_ROW_FROM
    heading = _columns(("   profile", "state", "moved", "next, or ends", "from, to" if wide else ""), canvas)
    rows: list[Row] = [fitted(answer(found, canvas), canvas.width), tuple(Piece(p.text, Role.STRONG) for p in heading)]
    each = 1 if wide else 2
    fit = max(1, (canvas.height - len(rows)) // each)
    first = max(0, min(cursor - fit // 2, len(found) - fit))
    at = None
    for index in range(first, min(first + fit, len(found))):
        if index == cursor:
            at = len(rows)
        rows += _entry_rows(found[index], index == cursor, wide, canvas)
    return rows, at


def _entry_rows(entry: Entry, here: bool, wide: bool, canvas: Canvas) -> list[Row]:
    alarm, pointer = ("✗", "▶") if canvas.unicode else ("x", ">")
    mark = pointer if here else alarm if entry.role is Role.ALARM else " "
    name = canvas.text(entry.subject.name, _name_cells(canvas) - 2)
    route = route_text(entry.source, entry.destination, _route_cells(canvas), canvas)
    role = entry.role
    first = _columns((f" {mark} {name}", entry.state, entry.moved, entry.next, route if wide else ""), canvas, role)
    if wide:
        return [first]
    details = [canvas.text(text, cells - 1) for text, cells in zip(entry.details, (_MOVED, 22), strict=True)]
    second = row(f"   {route}".ljust(3 + _NAME + _STATE), details[0].ljust(_MOVED), details[1])
    return [first, fitted(tuple(Piece(p.text, Role.MUTED) for p in second), canvas.width)]


def _columns(texts: Sequence[str], canvas: Canvas, role: Role = Role.PLAIN) -> Row:
    first, state, moved, ends, route = texts
    cells = _name_cells(canvas) + 3
    pieces = [fitted(row(first), cells), fitted(row(Piece(state, role)), _STATE), fitted(row(moved), _MOVED)]
    return fitted(tuple(piece for part in pieces for piece in part) + row(f"{ends:<22}", route), canvas.width)


def _name_cells(canvas: Canvas) -> int:
    return _NAME


def _route_cells(canvas: Canvas) -> int:
    taken = _NAME + _STATE + _MOVED + 25
    return canvas.width - taken - 1 if canvas.width >= _ONE_ROW_FROM else _NAME + _STATE - 1


def _bar(snapshot: Snapshot, canvas: Canvas, cells: int = 9) -> str:
    of = snapshot.totals.bytes
    full = int(cells * (of.source - of.pending) / of.source) if of.source else 0
    on, off = ("━", "·") if canvas.unicode else ("#", ".")
    return on * full + off * (cells - full)


def _rate(bytes_per_second: float, canvas: Canvas) -> str:
    if canvas.bits:
        return format_rate(bytes_per_second * 8).replace("B/s", "bps")
    return format_rate(bytes_per_second)


def _ends(snapshot: Snapshot, now: float, canvas: Canvas) -> str:
    if snapshot.eta_seconds is None or snapshot.status is Status.PAUSED:
        return "-" if snapshot.status is Status.PAUSED else "?"
    low, high = snapshot.eta_seconds
    return clock_range(now + low, now + high, canvas.zone, now)
