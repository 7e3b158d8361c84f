"""A cutover as Markdown, a runbook: verdict, freeze, what would help, each step with its way back. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

from engine.execution.cutover.record import STEPS, Cutover, Done
from engine.planning.cutover import Lever, Readiness
from engine.planning.freeze import Freeze
from engine.planning.values import Figure, Seconds
from engine.quantities import counted, format_bytes, format_count, format_duration, format_duration_range
from xsync_tui.cli.clock import moment
from xsync_tui.drawing.checklist import BACK, HOW, POINT_OF_NO_RETURN
from xsync_tui.drawing.cutover import View
from xsync_tui.drawing.markdown import MOST_ROWS, known, listed, page, safe, table
from xsync_tui.drawing.shapes import number_range

if TYPE_CHECKING:
    from engine.execution.foretelling.passes import History, PastPass

_RATES = {
    "listing": "listing the source, entries/s",
    "destination_listing": "listing the destination, entries/s",
    "deleting": "deleting, entries/s",
    "folder_times": "setting times of folders, folders/s",
    "verifying": "comparing both sides, entries/s",
    "files_per_second": "sending small files, files/s",
    "bytes_per_second": "sending large files, bytes/s",
    "overhead": "start and end of a run, seconds",
}


def runbook(view: View, sides: tuple[str, str], back: list[str], zone: tzinfo | None) -> str:
    """The cutover of ``view`` from one of ``sides`` to the other; ``back``: the ways back, a paragraph each.

    Its history and readiness are known. Times as date, clock and offset from UTC.
    """
    history, ready, record = view.history, view.ready, view.record
    if history is None or ready is None:
        return ""
    warnings = ["The profile has a schedule: a run in between undoes the final delta"] if view.schedule else []
    warnings += (
        [] if view.verifies else ["Both sides are not compared after the final delta: it verifies what it sends"]
    )
    warnings += [] if record is None or not record.stopped else [f"It stopped: {safe(record.stopped)}"]
    return page(
        [
            f"# Cutover of {safe(view.profile)}",
            "",
            f"**{ready.verdict}**: {safe(ready.reason)}",
            "",
            f"- Source: {safe(sides[0])}",
            f"- Destination: {safe(sides[1])}",
            f"- Window: {'not stated' if ready.window is None else format_duration(ready.window)}",
            f"- Foretold and written {moment(view.now, zone)}: the source goes on changing, so look again on the day",
            *([] if record is None else [f"- Begun {moment(record.began_at, zone)} by {safe(record.began_by)}"]),
            "",
            *listed("To look at", warnings),
            *_freezes(ready),
            "## Steps",
            "",
            *table(("", "step", "state", "how", "way back"), _steps(record, zone)),
            f"Between step {len(STEPS) - 1} and {len(STEPS)} is the {POINT_OF_NO_RETURN}.",
            "",
            *listed("How to go back", map(safe, back)),
            *_levers(ready.levers if ready.verdict != "READY" else ()),
            *_passes(history, ready, zone),
            *listed("Rests on", _rests_on(history, zone)),
        ]
    )


def _freezes(ready: Readiness) -> list[str]:
    """How long each part takes, now and after more passes."""
    if ready.now is None:
        return []
    then = ready.then if ready.passes else None
    found = [(f"now: {_range(ready.now.whole)}", ready.now)]
    if then is not None:
        found.append((f"after {counted(ready.passes, 'more pass', 'more passes')}: {_range(then.whole)}", then))
    names = list(dict.fromkeys(name for _, each in found for name in each.parts))
    rows = [(name, *(_part(each, name) for _, each in found)) for name in names]
    asked = [(f"{kind} requests", *(_requests(each, kind) for _, each in found)) for kind in ready.now.requests]
    return ["## The freeze", "", *table(("part", *(head for head, _ in found)), [*rows, *asked])]


def _part(found: Freeze, name: str) -> str:
    return _range(found.parts[name]) if name in found.parts else "-"


def _requests(found: Freeze, kind: str) -> str:
    return format_count(found.requests.get(kind, 0))


def _steps(record: Cutover | None, zone: tzinfo | None) -> list[tuple[str, ...]]:
    done = {} if record is None else record.steps
    return [
        (str(number), STEPS[step], _state(done.get(step), zone), HOW[step], BACK[step])
        for number, step in enumerate(STEPS, 1)
    ]


def _state(done: Done | None, zone: tzinfo | None) -> str:
    return "to do" if done is None else f"done {moment(done.at, zone)} by {safe(done.who)}: {safe(done.text)}"


def _levers(levers: tuple[Lever, ...]) -> list[str]:
    rows = [(safe(each.text), each.verdict, _range(each.freeze), str(each.passes)) for each in levers]
    if not rows:
        return []
    return ["## What would help, each alone", "", *table(("change", "then", "freeze", "more passes first"), rows)]


def _passes(history: History, ready: Readiness, zone: tzinfo | None) -> list[str]:
    """The newest passes, and what the next one is likely to be."""
    if not history.passes:
        return []
    rows = [_pass(number, each, zone) for number, each in enumerate(history.passes, 1)][-MOST_ROWS:]
    if (changes := ready.changes) is not None and ready.next_pass is not None:
        files = number_range(changes.files, lambda count: format_count(round(count)))
        gone = number_range(changes.deletions, lambda count: format_count(round(count)))
        size = number_range(changes.bytes, format_bytes)
        rows.append(("next", "predicted", "-", files, size, gone, _range(ready.next_pass), "-"))
    head = ("pass", "began", "source listed in", "files sent", "bytes sent", "deleted", "took", "ended")
    return ["## Passes", "", *table(head, rows)]


def _pass(number: int, each: PastPass, zone: tzinfo | None) -> tuple[str, ...]:
    return (
        str(number),
        moment(each.began_at, zone),
        "-" if each.scan_seconds is None else format_duration(each.scan_seconds),
        format_count(each.files),
        format_bytes(each.bytes),
        format_count(each.deletions),
        format_duration(each.seconds),
        each.status,
    )


def _rests_on(history: History, zone: tzinfo | None) -> list[str]:
    """Rates as passes had them; what none has measured."""
    texts = []
    for name, words in _RATES.items():
        figure: Figure | None = getattr(history.measured, name)
        if figure is not None:
            value = f"{figure.value:,.1f}" if figure.value < 10 else format_count(round(figure.value))
            texts.append(f"{words[:1].upper()}{words[1:]}: {value} ({known(figure.origin, zone)})")
    return [*texts, "What no pass has measured is as the profile states it, else a published default"]


def _range(found: Seconds) -> str:
    return format_duration_range(found.low, found.high)
