"""The new-migration wizard's body: a question, its fields, what is known about the answer, what enter does. Pure."""

from __future__ import annotations

from typing import NamedTuple

from engine.quantities import counted, format_bytes, format_count_short, format_duration, format_share
from xsync_tui.drafting import (
    STEPS,
    Draft,
    Field,
    chosen_preset,
    class_of,
    fields,
    filter_texts,
    name_of,
    presets,
)
from xsync_tui.drawing.figures import check as done_mark
from xsync_tui.drawing.figures import rate_both
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, fitted, row
from xsync_tui.drawing.shapes import when, wrapped
from xsync_tui.drawing.wizard_evidence import LABEL_CELLS, evidence, found_rows
from xsync_tui.drawing.wizard_view import WizardView, is_recent
from xsync_tui.limits_typed import rules_so_far


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
    room = max(0, canvas.height - len(head) - len(tail) - 1)
    middle = evidence(view, canvas, room)[:room]
    below = found_rows(view, canvas, room - len(middle) - bool(middle) - 1)
    if below:
        middle = [*middle, *([()] if middle else []), *below]
    gap: list[Row] = [()] * (room - len(middle))
    rows = [fitted(each, canvas.width) for each in (*head, (), *middle, *gap, *tail)]
    field = asked[min(view.field, len(asked) - 1)]
    typed = not field.choices and not field.act
    return Wizard(
        rows[: canvas.height], (LABEL_CELLS, first + view.field, canvas.width - LABEL_CELLS - 1) if typed else None
    )


def _answer(view: WizardView, canvas: Canvas) -> str:
    match view.draft.step:
        case 1:
            return "Where is the data?"
        case 2:
            return "Where is it to go?"
        case 3:
            return "What is to be left out?" if view.problem else _left_out(view)
        case 4:
            return "How fast may it go, and when?" if view.problem else _limits(view, canvas)
        case _:
            return (
                f"Save it as {name_of(view.draft)}, then plan it." if not view.problem else "What is it to be called?"
            )


def _limits(view: WizardView, canvas: Canvas) -> str:
    found = rules_so_far(view.draft.limits)
    if not found:
        return "No limit: it takes what the link gives."
    least = min(rule.bytes_per_second for rule in found)
    lowest = rate_both(least, canvas._replace(bits=True))
    said = f"One limit, of {lowest}" if len(found) == 1 else f"{len(found)} limits, the lowest {lowest}"
    survey = view.survey
    if survey is None or survey.partial or survey.bytes < 60 * least:
        return f"{said}."
    return f"{said}: {format_bytes(survey.bytes)} take {format_duration(survey.bytes / least)} at it."


def _left_out(view: WizardView) -> str:
    if not any(filter_texts(view.draft)):
        return "Nothing is left out, unless you say so."
    kept = view.kept
    if kept is None or not kept.files:
        return "What is to be left out?"
    if not kept.kept_files:
        return "This leaves nothing to copy."
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
    label = Piece(f" {mark} {field.label:<{LABEL_CELLS - 3}}", Role.STRONG if here else Role.PLAIN)
    if field.choices:
        if field.key == "storage_class":
            return (label, *_class(view.draft))
        return (label, *_choices(view.draft, here))
    if field.act:
        return (label, Piece(canvas.text(_canary(view), canvas.width - LABEL_CELLS - 1), Role.PLAIN))
    typed = getattr(view.draft, field.key)
    if typed:
        return (label, Piece(canvas.text(typed, canvas.width - LABEL_CELLS - 1)))
    return (label, Piece(canvas.text(field.empty, canvas.width - LABEL_CELLS - 1), Role.MUTED))


def _class(draft: Draft) -> list[Piece]:
    """The one that is chosen, and what it is for: all of them fit no row."""
    chosen = class_of(draft)
    return [Piece(f"({chosen.name}) ", Role.STRONG), Piece(f" {chosen.words}", Role.MUTED)]


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


def _survey(view: WizardView, canvas: Canvas) -> Row:
    if view.scanning is not None:
        found = view.scanning
        seen = f"{counted(found.files, 'file')}, {format_bytes(found.bytes)} so far, {format_duration(found.seconds)}"
        return row(" survey  ", Piece(f"{seen}{f'; {found.step}' if found.step else ''}", Role.GOOD))
    if view.survey_problem:
        return row(" survey  ", Piece(f"failed: {canvas.text(view.survey_problem, canvas.width - 18)}", Role.ALARM))
    if view.survey is not None:
        known = view.survey
        part = ", in part" if known.partial else ""
        used = ""
        if view.draft.step == 1:
            used = " is there and is used" if is_recent(known, view.now) else " is there, and is made anew"
        text = f"of {when(known.surveyed_at, canvas, view.now)}{used}: {counted(known.files, 'file')}, "
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
