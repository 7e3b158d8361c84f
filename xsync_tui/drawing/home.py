"""Home: migrations as entries, and their rows: what needs a person, what runs, what is due, and the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from engine.model import Snapshot, Status
from engine.quantities import format_bytes, format_count, format_count_short, format_duration
from profiles.schema import Profile
from xsync_tui.cli.clock import clock, clock_range
from xsync_tui.cli.headline import Life, life_of
from xsync_tui.cli.outcome import work_left
from xsync_tui.drafting import STEPS, Draft
from xsync_tui.drawing.facts import CutoverBrief, Execution, Host, Subject, SurveyBrief, plain_url
from xsync_tui.drawing.frame import route_text
from xsync_tui.drawing.journey import progress
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, headed, row

_ONE_ROW_FROM = 110
_BAR_CELLS = 9


class Group(IntEnum):
    """Why an entry stands where it does, in the order in which they stand."""

    NEEDS = 0
    RUNS = 1
    DUE = 2
    REST = 3


class HomeFacts(NamedTuple):
    """All that Home shows. By profile: ``due``, Unix time of the next scheduled run, ``stopped`` and ``cutovers``."""

    host: Host
    profiles: Mapping[str, Profile | str] = {}
    executions: Sequence[Execution] = ()
    surveys: Mapping[str, SurveyBrief] = {}
    due: Mapping[str, float] = {}
    stopped: frozenset[str] = frozenset()
    drafts: Sequence[Draft] = ()
    cutovers: Mapping[str, CutoverBrief] = {}


class Entry(NamedTuple):
    """A migration in the list.

    ``why``: the sentence that says why it needs a person. ``details``: two more words where there are two rows.
    ``place``: the screen it stands at. ``since``: Unix time it is ordered by. ``failed``: files a retry would try.
    ``handed``: over to its users, so that no run may follow.
    """

    subject: Subject
    group: Group = Group.REST
    state: str = ""
    role: Role = Role.PLAIN
    moved: str = "-"
    next: str = ""
    source: str = ""
    destination: str = ""
    details: tuple[str, str] = ("", "")
    why: str = ""
    place: str = "survey"
    since: float = 0.0
    resumable: bool = False
    failed: int = 0
    draft: Draft | None = None
    handed: bool = False


def entries(facts: HomeFacts, now: float, canvas: Canvas) -> list[Entry]:
    """Migrations: those that need a person first, then what runs, what is due, and the rest; the newest first.

    A profile stands for its newest execution; without a profile, that is the newest of its source and destination. A
    location that was surveyed and is no source yet stands for itself. Steps of test runs count for nothing.
    """
    newest: dict[tuple[str, ...], Execution] = {}
    for each in facts.executions:
        if not each.test:
            newest[_belongs_to(each, facts.profiles)] = each
    found = [
        _of_profile(name, profile, newest.pop(("profile", name), None), facts, now, canvas)
        for name, profile in facts.profiles.items()
    ]
    found += [_of_execution(each, Subject(execution=each.folder.name), now, canvas) for each in newest.values()]
    found += [_of_draft(draft, facts.surveys) for draft in facts.drafts]
    used = {plain_url(entry.source) for entry in found if entry.source}
    found += [_surveyed(survey) for url, survey in facts.surveys.items() if url not in used]
    return sorted(found, key=lambda entry: (entry.group, -entry.since, entry.subject.name))


def filtered(found: Sequence[Entry], words: str) -> list[Entry]:
    """Entries that hold every one of ``words`` in their name, route or state, in any case."""
    wanted = words.lower().split()
    texts = [" ".join((e.subject.name, e.source, e.destination, e.state)).lower() for e in found]
    return [entry for entry, text in zip(found, texts, strict=True) if all(word in text for word in wanted)]


def answer(found: Sequence[Entry], canvas: Canvas) -> Row:
    """One sentence: what needs a person, how many run, what is due."""
    needs, runs, due = ([e for e in found if e.group is group] for group in (Group.NEEDS, Group.RUNS, Group.DUE))
    parts = [f"{len(runs)} {'runs' if len(runs) == 1 else 'run'}." if runs else "Nothing runs."]
    if due:
        count = "1 is due" if len(due) == 1 else f"{len(due)} are due, the first"
        parts.append(f"{count} at {due[0].next.removeprefix('next ')}.")
    rest = "  ".join(parts)
    if not needs:
        return row(" ", Piece("Nothing needs you.", Role.STRONG), f"  {rest}")
    count = f"{len(needs)} {'needs' if len(needs) == 1 else 'need'} you: "
    why = canvas.text(needs[0].why, max(8, canvas.width - len(count) - len(rest) - 5))
    return row(" ", Piece(f"{count}{why}.", Role.ALARM), f"  {rest}")


def home_rows(
    found: Sequence[Entry], cursor: int, canvas: Canvas, of: Sequence[Entry] | None = None, words: str = ""
) -> tuple[list[Row], int | None]:
    """The answer, headings and entries as far as they fit, around entry ``cursor``; and the row that one is on.

    ``words``: the filter that left ``found`` of all entries, ``of``.
    """
    head = answer(found if of is None else of, canvas)
    if not found and words:
        head = row(Piece(f" No migration holds {canvas.text(words, 40)!r}. backspace shows all.", Role.LOOK))
    wide = canvas.width >= _ONE_ROW_FROM
    heading = _columns(("   profile", "state", "moved", "next, or ends", "from, to" if wide else ""), canvas)
    rows: list[Row] = [fitted(head, canvas.width), tuple(Piece(piece.text, Role.STRONG) for piece in heading)]
    each = 1 if wide else 2
    fit = max(1, (canvas.height - len(rows)) // each)
    first = max(0, min(cursor - fit // 2, len(found) - fit))
    at = None
    for index in range(first, min(first + fit, len(found))):
        at = len(rows) if index == cursor else at
        entry = _entry_rows(found[index], index == cursor, canvas)
        begins = index == 0 or found[index - 1].group is not found[index].group
        rows += headed(found[index].group.name, entry) if begins else entry
    return rows, at


def first_rows(state_folder: str, canvas: Canvas) -> list[Row]:
    """The very first screen: one question, what comes of it, and the other two ways in."""
    lines = (
        "",
        "   A survey counts what is there: files, bytes, sizes, what would be in the way.",
        "   It only reads names, sizes and times; nothing is written where the data is.",
        f"   What it finds stays on this host, in {canvas.text(state_folder, max(8, canvas.width - 42))}",
        "",
        "   Then: a plan with agents and hours, a test run, the run, and the switch over.",
        "",
        "   xsync demo                                 shows it all on data of its own",
        "   esc, then N                                describes a migration step by step",
    )
    return [row(Piece(" Where is the data?", Role.STRONG)), *(fitted(row(line), canvas.width) for line in lines)]


def host_text(host: Host, canvas: Canvas) -> str:
    """``agent-01  bond0 20 Gbps  16 cores``."""
    link = f"{canvas.text(host.link, 12)} {format_bytes(host.link_bits).replace('B', 'bps')}" if host.link else ""
    return "  ".join(
        part for part in (host.name, link, f"{host.cores:.3g} core{'' if host.cores == 1 else 's'}") if part
    )


def _belongs_to(each: Execution, profiles: Mapping[str, Profile | str]) -> tuple[str, ...]:
    if each.snapshot is None:
        return ("damaged", each.folder.name)
    if each.snapshot.profile in profiles:
        return ("profile", str(each.snapshot.profile))
    return ("route", each.snapshot.source, each.snapshot.destination)


def _of_profile(
    name: str, profile: Profile | str, latest: Execution | None, facts: HomeFacts, now: float, canvas: Canvas
) -> Entry:
    subject = Subject(profile=name)
    if isinstance(profile, str):
        why = f"the profile {name} is not valid"
        return Entry(subject, Group.NEEDS, "profile not valid", Role.ALARM, next="enter says why", why=why)
    if latest is None:
        entry = _without_run(subject, profile, facts.surveys.get(plain_url(profile.source.url)))
    else:
        entry = _of_execution(latest, subject, now, canvas)
    cutover = facts.cutovers.get(name)
    if cutover is not None and entry.group is not Group.RUNS:
        return _cut_over(entry, cutover, now, canvas)
    if name in facts.stopped:
        why = f"the schedule of {name} stopped itself"
        return entry._replace(group=Group.NEEDS, role=Role.ALARM, next="schedule STOPPED", why=why)
    if name in facts.due:
        at = facts.due[name]
        said = f"next {clock_range(at, at, canvas.zone, now)}"
        return (
            entry._replace(group=Group.DUE, next=said, since=-at) if entry.group is Group.REST else _beside(entry, said)
        )
    if profile.schedule.cron is None and profile.schedule.every is None:
        return entry
    if entry.group is Group.REST and latest is not None:
        return entry._replace(next=_NO_TIMER, details=(entry.details[0], "see: xsync schedule"))
    return _beside(entry, _NO_TIMER)


def _cut_over(entry: Entry, cutover: CutoverBrief, now: float, canvas: Canvas) -> Entry:
    """Handed over: nothing is left to do. Begun: somebody waits for it, above all once the source is frozen."""
    steps, name = cutover.steps, entry.subject.name
    if (handed := steps.get("hand-over")) is not None:
        entry = entry._replace(group=Group.REST, state="HANDED OVER", role=Role.GOOD, resumable=False, failed=0)
        since = f"since {clock(handed.get('at', now), canvas.zone, now)}"
        return entry._replace(
            next="6 ways back", details=(entry.details[0], since), place="cutover", handed=True, why=""
        )
    state, since, why = f"CUTOVER, step {len(steps) + 1}", "", f"the cutover of {name} is at step {len(steps) + 1}"
    if (frozen := steps.get("read-only")) is not None:
        for_ = format_duration(max(0.0, now - frozen.get("at", now)))
        since, why = f"frozen {for_}", f"{why}, its source frozen for {for_}"
    details = (entry.details[0], since)
    return entry._replace(
        group=Group.NEEDS, state=state, role=Role.ALARM, next="6 goes on", details=details, why=why, place="cutover"
    )


_NO_TIMER = "schedule has no timer"
"""The profile says when it runs, and nothing starts it."""


def _beside(entry: Entry, said: str) -> Entry:
    """With a word in the last cell of its second row, where nothing else stands."""
    return entry if entry.details[1] else entry._replace(details=(entry.details[0], said))


def _without_run(subject: Subject, profile: Profile, survey: SurveyBrief | None) -> Entry:
    entry = Entry(subject, source=profile.source.url, destination=profile.destination.url)
    if survey is None:
        return entry._replace(state="not surveyed", next="2 survey it")
    found = f"{format_bytes(survey.bytes)} found"
    return entry._replace(state="surveyed, no run yet", moved=found, next="3 plan it", place="plan")


def _of_draft(draft: Draft, surveys: Mapping[str, SurveyBrief]) -> Entry:
    state = f"draft, step {draft.step} of {len(STEPS)}"
    source = draft.source.strip()
    subject = Subject(location=source or None, draft=draft.id)
    entry = Entry(subject, state=state, next="enter goes on", since=draft.saved_at, draft=draft)
    if source and (survey := surveys.get(plain_url(source))) is not None:
        entry = entry._replace(moved=f"{format_bytes(survey.bytes)} found")
    return entry._replace(source=source, destination=draft.destination.strip() or ("?" if source else ""))


def _surveyed(survey: SurveyBrief) -> Entry:
    state = "surveyed in part" if survey.partial else "surveyed"
    found = f"{format_bytes(survey.bytes)} found"
    subject = Subject(location=survey.location)
    return Entry(subject, state=state, moved=found, next="2 look", source=survey.location, since=survey.surveyed_at)


def _of_execution(each: Execution, subject: Subject, now: float, canvas: Canvas) -> Entry:
    snapshot = each.snapshot
    if snapshot is None:
        why = f"the journal of {each.folder.name} is damaged"
        entry = Entry(subject, Group.NEEDS, "journal damaged", Role.ALARM, next="enter says why", why=why)
        return entry._replace(place="run")
    entry = Entry(subject, source=snapshot.source, destination=snapshot.destination, place="run")
    match life_of(snapshot, now):
        case Life.ENDED:
            return _ended(entry, snapshot, now, canvas)
        case Life.GONE:
            return entry._replace(
                group=Group.NEEDS,
                state="RUNNER GONE",
                role=Role.ALARM,
                moved=progress(snapshot),
                next="R resume",
                details=(_left(snapshot), f"since {clock(snapshot.heartbeat_at, canvas.zone, now)}"),
                why=f"the runner of {subject.name} is gone",
                since=snapshot.heartbeat_at,
                resumable=True,
            )
        case life:
            return _running(entry, snapshot, life, now, canvas)


def _running(entry: Entry, snapshot: Snapshot, life: Life, now: float, canvas: Canvas) -> Entry:
    paused = snapshot.status is Status.PAUSED
    rate = canvas.rate(snapshot.bytes_per_second) if snapshot.bytes_per_second and not paused else ""
    working = sum(agent.state == "working" for agent in snapshot.agents)
    ends = "R resume" if paused else "no estimate yet"
    if snapshot.eta_seconds is not None and not paused:
        low, high = snapshot.eta_seconds
        ends = clock_range(now + low, now + high, canvas.zone, now)
    return entry._replace(
        group=Group.RUNS,
        state=f"{snapshot.status} {rate}".strip(),
        role=Role.LOOK if life is Life.SILENT or paused else Role.GOOD,
        resumable=paused,
        moved=f"{progress(snapshot)} {_bar(snapshot, canvas)}",
        next=ends,
        details=(f"{working} of {len(snapshot.agents)} agents", f"on {snapshot.host}"),
        since=snapshot.started_at,
    )


def _ended(entry: Entry, snapshot: Snapshot, now: float, canvas: Canvas) -> Entry:
    at = snapshot.ended_at or snapshot.heartbeat_at
    of, failed, name = snapshot.totals.bytes, snapshot.totals.files.failed, entry.subject.name
    entry = entry._replace(
        state=str(snapshot.status),
        moved=_of(of.transferred, of.source),
        next="7 report",
        details=(f"ended {clock(at, canvas.zone, now)}", ""),
        place="report",
        since=at,
        failed=0 if work_left(snapshot) else failed,
    )
    if snapshot.status is Status.SUCCESS:
        nothing = of.source and not of.transferred
        return entry._replace(role=Role.GOOD, moved="nothing was new" if nothing else entry.moved)
    if snapshot.status is Status.CANCELLED:
        return entry._replace(role=Role.LOOK)
    if snapshot.status is Status.SUPERSEDED:
        return entry._replace(role=Role.LOOK, next=f"by {snapshot.superseded_by}", place="run", failed=0)
    left = work_left(snapshot)
    counted = f"{format_count(failed)} failed {'file' if failed == 1 else 'files'}"
    why = f"{name} was interrupted" if snapshot.status is Status.INTERRUPTED else f"{name} ended early"
    entry = entry._replace(group=Group.NEEDS, role=Role.ALARM, why=why, resumable=left)
    if left:
        return entry._replace(next="R resume", details=(_left(snapshot), entry.details[0]))
    if failed:
        state = f"ERROR, {format_count(failed)} failed"
        return entry._replace(state=state, next="f failures, F retry", why=f"{name} ended with {counted}")
    return entry._replace(why=f"{name} ended as {snapshot.status}")


def _entry_rows(entry: Entry, here: bool, canvas: Canvas) -> list[Row]:
    alarm, pointer = ("✗", "▶") if canvas.unicode else ("x", ">")
    mark = pointer if here else alarm if entry.role is Role.ALARM else " "
    wide = canvas.width >= _ONE_ROW_FROM
    cells = _cells(canvas)
    name = canvas.text(entry.subject.name, cells[0] - 4)
    route_cells = canvas.width - sum(cells) if wide else cells[0] + cells[1] - 5
    route = route_text(entry.source, entry.destination, route_cells, canvas)
    texts = (f" {mark} {name}", entry.state, entry.moved, entry.next, route if wide else "")
    first = _columns(texts, canvas, entry.role)
    if wide:
        return [first]
    details = [canvas.text(text, room - 1) for text, room in zip(entry.details, cells[2:], strict=True)]
    left = fitted(row(Piece(f"   {route}", Role.MUTED)), cells[0] + cells[1])
    right = [Piece(f"{text:<{room}}", Role.MUTED) for text, room in zip(details, cells[2:], strict=True)]
    return [first, fitted((*left, *right), canvas.width)]


def _cells(canvas: Canvas) -> tuple[int, int, int, int]:
    """Cells of the columns name, state, moved, next, with the gap after each."""
    return (19, 26, 20, 23) if canvas.width >= _ONE_ROW_FROM else (15, 24, 19, 22)


def _columns(texts: Sequence[str], canvas: Canvas, role: Role = Role.PLAIN) -> Row:
    name, state, moved, ends, route = texts
    roles = (Role.PLAIN, role, Role.PLAIN, Role.PLAIN)
    parts = [
        fitted(row(Piece(text, part_role)), room)
        for text, part_role, room in zip((name, state, moved, ends), roles, _cells(canvas), strict=True)
    ]
    return fitted((*(piece for part in parts for piece in part), Piece(route)), canvas.width)


def _left(snapshot: Snapshot) -> str:
    least = "" if snapshot.totals.listing_complete else "at least "
    return f"{least}{format_count_short(snapshot.totals.files.pending)} left"


def _of(part: int, whole: int) -> str:
    """``4.19 of 4.20 TB``: the unit once, if both have the same."""
    first, last = format_bytes(part), format_bytes(whole)
    number, unit = first.split()
    return f"{number} of {last}" if last.endswith(f" {unit}") else f"{first} of {last}"


def _bar(snapshot: Snapshot, canvas: Canvas) -> str:
    """A thin bar; none while more may be found: its end would move."""
    of = snapshot.totals.bytes
    if not snapshot.totals.listing_complete or not of.source:
        return ""
    full = int(_BAR_CELLS * of.done / of.source)
    on, off = ("━", "·") if canvas.unicode else ("#", ".")
    return on * full + off * (_BAR_CELLS - full)
