"""The new-migration wizard's body: a question, its fields, what is known about the answer, what enter does. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.execution.checking.findings import Finding
from engine.quantities import format_bytes, format_count, format_count_short, format_duration, format_share
from xsync_tui.drafting import (
    STEPS,
    Draft,
    Field,
    chosen_preset,
    fields,
    name_of,
    presets,
    rules_so_far,
)
from xsync_tui.drawing.facts import SurveyBrief
from xsync_tui.drawing.figures import check as done_mark
from xsync_tui.drawing.figures import rate_both
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.drawing.shapes import when, wrapped
from xsync_tui.drawing.survey import Scanning
from xsync_tui.drawing.week import week_rows

if TYPE_CHECKING:
    from engine.survey.matching import Kept

_LABEL = 14
"""Cells before what is typed: a mark, the field's name."""

SILENT_SECONDS = 20.0
"""So long a look may take; what has not answered by then is left alone."""


RECENT_SECONDS = 7 * 86_400
"""A complete survey that is younger is used, another one is made anew."""


def is_recent(survey: SurveyBrief | None, now: float) -> bool:
    """Whether a survey will do."""
    return survey is not None and not survey.partial and now - survey.surveyed_at < RECENT_SECONDS


class Look(NamedTuple):
    """A look at a place: going on for ``seconds``, ``silent`` if it took too long; ``tried``: with a canary."""

    running: bool = False
    seconds: float = 0.0
    silent: bool = False
    findings: tuple[Finding, ...] = ()
    tried: bool = False

    @property
    def failed(self) -> bool:
        """Whether a run would fail."""
        return self.silent or any(each.level == "failure" for each in self.findings)

    @property
    def done(self) -> bool:
        """Whether there is an answer."""
        return not self.running and (self.silent or bool(self.findings))


class WizardView(NamedTuple):
    """What the wizard shows at ``now`` (Unix time).

    ``field``: the one that is typed into. ``problem``: why the step is not answered. ``look``: at the place that this
    step is about. ``scanning``, ``survey``, ``survey_problem``: of the source. ``kept``: what the patterns keep of it.
    ``canary``: what one would be called. ``path``, ``toml``: of the profile as it would be saved. ``unsaved``: why the
    draft is not on disk.
    """

    draft: Draft
    field: int = 0
    now: float = 0.0
    problem: str = ""
    look: Look | None = None
    scanning: Scanning | None = None
    survey: SurveyBrief | None = None
    survey_problem: str = ""
    kept: Kept | None = None
    canary: str = ""
    path: str = ""
    toml: str = ""
    unsaved: str = ""


class Wizard(NamedTuple):
    """Rows, and where what is typed stands: column, row, cells; None where nothing is typed."""

    rows: list[Row]
    entry: tuple[int, int, int] | None


def wizard_rows(view: WizardView, canvas: Canvas) -> Wizard:
    """Exactly ``canvas.height`` rows: the question or its answer first, what enter does last."""
    asked = fields(view.draft)
    head = [
        row(" ", Piece(canvas.text(_answer(view, canvas), canvas.width - 2), Role.STRONG)),
        _steps(view, canvas),
        (),
    ]
    first = len(head)
    head += [_field(field, at == view.field, view, canvas) for at, field in enumerate(asked)]
    tail = [*_unsaved(view, canvas), _survey(view, canvas), *_next(view, canvas)]
    room = canvas.height - len(head) - len(tail) - 1
    evidence = _evidence(view, canvas, max(0, room))[: max(0, room)]
    gap: list[Row] = [()] * max(0, canvas.height - len(head) - len(tail) - len(evidence) - 1)
    rows = [fitted(each, canvas.width) for each in (*head, (), *evidence, *gap, *tail)]
    field = asked[min(view.field, len(asked) - 1)]
    typed = not field.choices and not field.act
    return Wizard(rows[: canvas.height], (_LABEL, first + view.field, canvas.width - _LABEL - 1) if typed else None)


def _answer(view: WizardView, canvas: Canvas) -> str:
    match view.draft.step:
        case 1:
            return "Where is the data?"
        case 2:
            return "Where is it to go?"
        case 3:
            return "What is to be left out?" if view.problem else _left_out(view)
        case 4:
            return "How fast may it go, and when?" if view.problem else _limits(view.draft, canvas)
        case _:
            return (
                f"Save it as {name_of(view.draft)}, then plan it." if not view.problem else "What is it to be called?"
            )


def _limits(draft: Draft, canvas: Canvas) -> str:
    found = rules_so_far(draft.limits)
    if not found:
        return "No limit: it takes what the link gives."
    lowest = rate_both(min(rule.bytes_per_second for rule in found), canvas._replace(bits=True))
    return f"One limit, of {lowest}." if len(found) == 1 else f"{len(found)} limits, the lowest {lowest}."


def _left_out(view: WizardView) -> str:
    if not view.draft.include.strip() and not view.draft.exclude.strip():
        return "Nothing is left out, unless you say so."
    kept = view.kept
    if kept is None or not kept.files:
        return "What is to be left out?"
    if not kept.kept_files:
        return "These patterns leave nothing to copy."
    so_far = " seen so far" if view.scanning is not None else ""
    files = f"{format_share(kept.kept_files, kept.files)} of {format_count_short(kept.files)} files{so_far}"
    share = f", and {format_share(kept.kept_size, kept.size)} of their bytes" if kept.size else ""
    return f"It keeps {files}{share}."


def _steps(view: WizardView, canvas: Canvas) -> Row:
    """``ok source  > destination  . leave out``: answered, here, still to come."""
    pieces: list[Piece] = [Piece(" ")]
    for number, name in enumerate(STEPS, 1):
        here, past = number == view.draft.step, number < view.draft.step
        mark = done_mark(canvas) if past else str(number)
        role = Role.STRONG if here else Role.GOOD if past else Role.MUTED
        pieces += [Piece(f"[{mark} {name}]" if here else f" {mark} {name} ", role), Piece(" ")]
    return tuple(pieces)


def _field(field: Field, here: bool, view: WizardView, canvas: Canvas) -> Row:
    mark = ("▶" if canvas.unicode else ">") if here else " "
    label = Piece(f" {mark} {field.label:<{_LABEL - 3}}", Role.STRONG if here else Role.PLAIN)
    if field.choices:
        return (label, *_choices(view.draft, here))
    if field.act:
        return (label, Piece(canvas.text(_canary(view), canvas.width - _LABEL - 1), Role.PLAIN))
    typed = getattr(view.draft, field.key)
    if typed:
        return (label, Piece(canvas.text(typed, canvas.width - _LABEL - 1)))
    return (label, Piece(canvas.text(field.empty, canvas.width - _LABEL - 1), Role.MUTED))


def _choices(draft: Draft, here: bool) -> list[Piece]:
    chosen = chosen_preset(draft)
    pieces = []
    for at, (name, _) in enumerate(presets(draft)):
        text = f"({name})" if at == chosen else f" {name} "
        pieces.append(Piece(f"{text} ", Role.STRONG if at == chosen else Role.PLAIN))
    return [*pieces, *([Piece(" left, right", Role.MUTED)] if here else [])]


def _canary(view: WizardView) -> str:
    if view.look is not None and view.look.tried:
        if view.look.running:
            return "is written, read and removed"
        if view.look.failed:
            return "failed, see below"
        kept = any(finding.level != "ok" and "cannot be deleted" in finding.text for finding in view.look.findings)
        return "was written and read; it is still there, see below" if kept else "was written, read and removed"
    return "none was written; enter writes one, reads it and removes it"


# What is known.


def _evidence(view: WizardView, canvas: Canvas, room: int) -> list[Row]:
    match view.draft.step:
        case 1 | 2:
            return _looked(view, canvas, room) or _explained(view, canvas)
        case 3:
            return _kept(view, canvas, room)
        case 4:
            return week_rows(rules_so_far(view.draft.limits), canvas)
        case _:
            return _review(view, canvas, room)


def _explained(view: WizardView, canvas: Canvas) -> list[Row]:
    if view.draft.step == 1:
        texts = ["enter looks whether it can be read, and the survey starts: it reads names, sizes and times,"]
        texts[0] += " opens no file, writes nothing there, and goes on beside the other steps."
    else:
        texts = ["enter looks at it: whose credentials are used, whether it is there. That writes nothing."]
        if view.canary:
            texts.append(f"A canary is a small file of xsync's own, {view.canary}: removed again at once.")
    safe = [canvas.text(text) for text in texts]
    return [(Piece(f" {line}", Role.MUTED),) for text in safe for line in wrapped(text, canvas.width - 2)]


def _looked(view: WizardView, canvas: Canvas, room: int) -> list[Row]:
    if view.look is None:
        return []
    marks = {"ok": (done_mark(canvas), Role.PLAIN), "warning": ("!", Role.LOOK)}
    failed = ("✗" if canvas.unicode else "x", Role.ALARM)
    found = sorted(view.look.findings, key=lambda each: each.level != "failure") if room < 10 else view.look.findings
    rows: list[Row] = []
    for finding in found:
        mark, role = marks.get(finding.level, failed)
        said = f"{finding.text}. {finding.advice}" if finding.advice else finding.text
        lines = wrapped(canvas.text(said), canvas.width - _LABEL - 3, 3)
        rows.append((Piece(f" {mark:<3}{finding.about:<{_LABEL - 2}}{lines[0]}", role),))
        rows += [(Piece(f" {' ' * (_LABEL + 1)}{line}", role),) for line in lines[1:]]
    if view.look.silent:
        text = f"no answer within {format_duration(SILENT_SECONDS)}: wrong endpoint, no route, or a mount that hangs"
        rows.append((Piece(f" {failed[0]:<3}{text}", Role.ALARM),))
    return rows


def _kept(view: WizardView, canvas: Canvas, room: int) -> list[Row]:
    if view.problem:
        return []
    if view.kept is None or not view.kept.files:
        counting = view.scanning is not None or view.survey is not None
        text = "Counting over what the survey has seen." if counting else "No survey yet: nothing to count over."
        return [(Piece(f" {text}", Role.MUTED),)]
    kept = view.kept
    so_far = "  so far" if view.scanning is not None else ""
    lines = (
        ("seen", kept.files, kept.size, so_far),
        ("kept", kept.kept_files, kept.kept_size, ""),
        ("left out", kept.files - kept.kept_files, kept.size - kept.kept_size, ""),
    )
    rows: list[Row] = [(Piece(f" {'':<10}{'files':>15}{'':>9}{'bytes':>10}", Role.STRONG),)]
    for name, files, size, note in lines:
        shares = [format_share(part, of) if of else "-" for part, of in ((files, kept.files), (size, kept.size))]
        counts = f"{format_count(files):>15} {shares[0]:>7} {format_bytes(size):>10} {shares[1]:>7}"
        rows.append((Piece(f" {name:<10}{counts}{note}", Role.LOOK if name == "kept" and not files else Role.PLAIN),))
    for title, paths in (
        ("left out, for instance", kept.examples_left_out),
        ("kept, for instance", kept.examples_kept),
    ):
        if paths:
            rows += [(Piece(f" {title}", Role.STRONG),), *(_path(path, canvas) for path in paths[: max(1, room // 6)])]
    return rows


def _path(path: bytes, canvas: Canvas) -> Row:
    text = path.decode("utf-8", "surrogateescape")
    return (Piece(f"   {canvas.text('/' + text, canvas.width - 5)}", Role.MUTED),)


def _review(view: WizardView, canvas: Canvas, room: int) -> list[Row]:
    if not view.toml:
        return []
    lines = [line for line in view.toml.splitlines() if line]
    most = max(1, room - 1)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"... and {len(lines) - most + 1} more lines"]
    title = Piece(f" It will be {canvas.text(view.path, canvas.width - 14)}", Role.STRONG)
    return [(title,), *((Piece(f"   {canvas.text(line, canvas.width - 5)}"),) for line in lines)]


def _survey(view: WizardView, canvas: Canvas) -> Row:
    if view.scanning is not None:
        found = view.scanning
        counted = (
            f"{format_count(found.files)} files, {format_bytes(found.bytes)} so far, {format_duration(found.seconds)}"
        )
        return row(" survey  ", Piece(f"{counted}{f'; {found.step}' if found.step else ''}", Role.GOOD))
    if view.survey_problem:
        return row(" survey  ", Piece(f"failed: {canvas.text(view.survey_problem, canvas.width - 18)}", Role.ALARM))
    if view.survey is not None:
        known = view.survey
        part = ", in part" if known.partial else ""
        used = ""
        if view.draft.step == 1:
            used = " is there and is used" if is_recent(known, view.now) else " is there, and is made anew"
        text = f"of {when(known.surveyed_at, canvas, view.now)}{used}: {format_count(known.files)} files, "
        return row(" survey  ", Piece(f"{text}{format_bytes(known.bytes)}{part}", Role.GOOD))
    return row(" survey  ", Piece("not begun", Role.MUTED))


def _unsaved(view: WizardView, canvas: Canvas) -> list[Row]:
    if not view.unsaved:
        return []
    mark = "✗" if canvas.unicode else "x"
    return [(Piece(f" {mark} {canvas.text(f'Kept nowhere: {view.unsaved}', canvas.width - 5)}", Role.ALARM),)]


# What comes next.


def _next(view: WizardView, canvas: Canvas) -> list[Row]:
    text, role = next_step(view)
    lines = wrapped(canvas.text(text), canvas.width - 3, 3)
    return [(Piece(f" {line}" if at == 0 else f"   {line}", role),) for at, line in enumerate(lines)]


def next_step(view: WizardView) -> tuple[str, Role]:
    """What enter does now, or why the next step waits."""
    step, look = view.draft.step, view.look
    if view.problem:
        return f"! Next waits: {view.problem}.", Role.LOOK
    if look is not None and look.running:
        return f"Next waits for the answer, {format_duration(look.seconds)} so far. esc waits no longer.", Role.MUTED
    match step:
        case 1 if look is not None and look.failed:
            return "! Next waits: it cannot be read, see above. Mend it; enter looks again.", Role.LOOK
        case 1 if view.scanning is not None or is_recent(view.survey, view.now):
            return "enter looks there, and goes on: there is a survey.", Role.STRONG
        case 1:
            return "enter looks there, and starts the survey.", Role.STRONG
        case 2 if look is None:
            return "enter looks at it. Nothing is written.", Role.STRONG
        case 2 if look is not None and look.failed:
            return "! A run would fail: mend it above. enter goes on all the same.", Role.LOOK
        case 5:
            return "enter saves it and opens its plan: 2 Survey, 3 Plan, T test run, R run come next.", Role.STRONG
        case _:
            return f"enter goes on to {step + 1}, {STEPS[step]}.", Role.STRONG
