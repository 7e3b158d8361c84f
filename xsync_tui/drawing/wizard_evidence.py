"""What the wizard knows about an answer: looks, buckets, counts, the week, the profile, what the survey found. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.planning.sizes import decides
from engine.quantities import format_bytes, format_count, format_count_short, format_duration, format_share
from xsync_tui.drafting import STEPS, Draft, bucket_typed, class_of, filter_texts
from xsync_tui.drawing.figures import check as done_mark
from xsync_tui.drawing.figures import cross
from xsync_tui.drawing.folders import FolderTable, folder_rows
from xsync_tui.drawing.histogram import histogram_rows
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row
from xsync_tui.drawing.shapes import wrapped
from xsync_tui.drawing.week import week_rows
from xsync_tui.drawing.wizard_view import BUCKETS_SECONDS, SILENT_SECONDS, Buckets, Source, WizardView
from xsync_tui.limits_typed import rules_so_far

LABEL_CELLS = 14
"""Cells before what is typed: a mark, the field's name."""

_LEAST_FOLDERS, _MOST_FOLDERS = 4, 12
"""Rows, the heading among them: fewer tell nothing, more take the place of others."""


def evidence(view: WizardView, canvas: Canvas, room: int) -> list[Row]:
    """What is known about the answer of the step, in about ``room`` rows."""
    match view.draft.step:
        case 1 | 2:
            if view.buckets is not None:
                return _buckets(view.buckets, view.draft, canvas, room)
            failed = view.look is not None and view.look.failed
            small = [] if failed else _small(view, canvas)
            return [*small, *(_looked(view, canvas, room - len(small)) or _explained(view, canvas))]
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
        lines = wrapped(canvas.text(said), canvas.width - LABEL_CELLS - 3, 3)
        rows.append((Piece(f" {mark:<3}{finding.about:<{LABEL_CELLS - 2}}{lines[0]}", role),))
        rows += [(Piece(f" {' ' * (LABEL_CELLS + 1)}{line}", role),) for line in lines[1:]]
    if view.look.silent:
        text = f"no answer within {format_duration(SILENT_SECONDS)}: wrong endpoint, no route, or a mount that hangs"
        rows.append((Piece(f" {failed[0]:<3}{text}", Role.ALARM),))
    return rows


def _kept(view: WizardView, canvas: Canvas, room: int) -> list[Row]:
    if view.problem:
        return []
    if not any(filter_texts(view.draft)):
        return _small(view, canvas)
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
    rows = [*_small(view, canvas), (Piece(f" {'':<10}{'files':>15}{'':>9}{'bytes':>10}", Role.STRONG),)]
    for name, files, size, note in lines:
        shares = [format_share(part, of) if of else "-" for part, of in ((files, kept.files), (size, kept.size))]
        counts = f"{format_count(files):>15} {shares[0]:>7} {format_bytes(size):>10} {shares[1]:>7}"
        rows.append((Piece(f" {name:<10}{counts}{note}", Role.LOOK if name == "kept" and not files else Role.PLAIN),))
    for title, paths in (
        ("left out, for instance", kept.examples_left_out),
        ("kept, for instance", kept.examples_kept),
    ):
        if paths:
            shown = paths[: max(1, min(3, room // 6))]
            rows += [(Piece(f" {title}", Role.STRONG),), *(_path(path, canvas) for path in shown)]
    return rows


def _path(path: bytes, canvas: Canvas) -> Row:
    text = path.decode("utf-8", "surrogateescape")
    return (Piece(f"   {canvas.text('/' + text, canvas.width - 5)}", Role.MUTED),)


def _review(view: WizardView, canvas: Canvas, room: int) -> list[Row]:
    """The file as it will be written; what does not fit is reached by paging."""
    if not view.toml:
        return []
    lines = view.toml.rstrip().splitlines()
    most = max(1, room - 1)
    title = [Piece(f" It will be {canvas.text(view.path, canvas.width - 14)}", Role.STRONG)]
    lines = lines if len(lines) <= most else [line for line in lines if line]
    if len(lines) <= most:
        return [tuple(title), *_toml(lines, canvas)]
    most = max(1, most - 1)
    first = max(0, min(view.first, len(lines) - most))
    last = first + most
    more = f"   lines {first + 1} - {last} of {len(lines)}: pgdn, pgup"
    return [tuple(title), *_toml(lines[first:last], canvas), (Piece(more, Role.MUTED),)]


def _toml(lines: Sequence[str], canvas: Canvas) -> list[Row]:
    return [(Piece(f"   {canvas.text(line, canvas.width - 5)}"),) for line in lines]


def _buckets(found: Buckets, draft: Draft, canvas: Canvas, room: int) -> list[Row]:
    """How the list is coming, or the names that hold what is typed."""
    typed = bucket_typed(draft.source if draft.step == 1 else draft.destination)
    names = found.like(typed)
    if found.running:
        said, role = (
            f"Asking for the buckets, {format_duration(found.seconds)} so far. esc asks no more; type on.",
            Role.MUTED,
        )
    elif found.silent:
        said, role = (
            f"{cross(canvas)} no list within {format_duration(BUCKETS_SECONDS)}: type the bucket's name",
            Role.LOOK,
        )
    elif found.problem:
        said, role = f"{cross(canvas)} no list: {found.problem} Type the bucket's name.", Role.LOOK
    elif not found.names:
        said, role = "! These credentials have no bucket here: make one, or try others.", Role.LOOK
    elif not names:
        said, role = f"! None of {format_count(len(found.names))} buckets holds {typed!r} in its name.", Role.LOOK
    else:
        count = f"{format_count(len(names))} of {format_count(len(found.names))}"
        said, role = f"{count} buckets: right takes the first, typing narrows.", Role.STRONG
    rows: list[Row] = [(Piece(f" {line}", role),) for line in wrapped(canvas.text(said), canvas.width - 2, 3)]
    fit = max(1, room - len(rows) - 1)
    rows += [(Piece(f"   {canvas.text(name, canvas.width - 4)}"),) for name in names[:fit]]
    if len(names) > fit:
        rows.append((Piece(f"   and {format_count(len(names) - fit)} more", Role.MUTED),))
    return rows


def _small(view: WizardView, canvas: Canvas) -> list[Row]:
    """How many files are too small for the storage class, of what has been counted."""
    chosen, kept = class_of(view.draft), view.kept
    if not chosen.small_bytes or kept is None or not kept.small:
        return []
    so_far = " so far" if view.scanning is not None else ""
    under = f"{format_count(kept.small)} of {format_count_short(kept.kept_files)} files{so_far} are under"
    said = f"! {under} {chosen.small_bytes >> 10} KiB: in {chosen.name} {chosen.small}."
    return [(Piece(f" {line}", Role.LOOK),) for line in wrapped(canvas.text(said), canvas.width - 2)]


def found_rows(view: WizardView, canvas: Canvas, room: int) -> list[Row]:
    """What the survey has found, as far as ``room`` rows take it whole; at the last step the profile is what counts."""
    if view.draft.step == len(STEPS) or view.buckets is not None:
        return []
    parts = [_sizes, _folders]
    if view.draft.step == 3:  # what is left out is named by its folder
        parts.reverse()
    rows: list[Row] = []
    for part in parts:
        gap: list[Row] = [()] if rows else []
        drawn = part(view.found, canvas, room - len(rows) - len(gap))
        rows += [*gap, *drawn] if drawn else []
    return rows


def _sizes(found: Source, canvas: Canvas, room: int) -> list[Row]:
    """What takes the time, and the histogram; all of it or nothing."""
    if found.times is None or found.origin is None or not found.times.files:
        return []
    said = decides(found.times, so_far=found.so_far)
    rows = [(Piece(f" {said}", Role.STRONG),), *histogram_rows(found.times, found.origin, canvas)]
    return rows if len(rows) <= room else []


def _folders(found: Source, canvas: Canvas, room: int) -> list[Row]:
    """The heaviest folders in the root."""
    most = min(room, _MOST_FOLDERS, 1 + len(found.folders))
    if not found.folders or most < min(_LEAST_FOLDERS, 1 + len(found.folders)):
        return []
    table = FolderTable("", found.folders, found.bytes, found.surveyed_at)
    return folder_rows(table, canvas, most)
