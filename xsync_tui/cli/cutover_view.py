"""How ready a migration is for its cutover: past passes, the next one, the parts of the freeze, what would help."""

from __future__ import annotations

import textwrap
from typing import Any

import msgspec

from engine.execution.foretelling.passes import History
from engine.planning.cutover import Readiness
from engine.planning.freeze import Freeze
from engine.planning.values import Range, Seconds
from engine.quantities import (
    format_bytes,
    format_count,
    format_count_short,
    format_duration,
    format_duration_range,
)
from xsync_tui.cli.clock import moment
from xsync_tui.cli.look import Look
from xsync_tui.drawing.shapes import files_range

SHOWN_PASSES = 8
"""The newest; all are in --json."""


def readiness_lines(name: str, history: History, ready: Readiness, look: Look) -> list[str]:
    """All of it as lines of at most ``look.width`` cells; the verdict first."""
    lines = textwrap.wrap(f"{name}  {ready.verdict}: {ready.reason}", look.width - 1, subsequent_indent="   ")
    if history.passes:
        lines += ["", *_passes(history, ready, look)]
    if ready.now is not None:
        lines += ["", *_freeze("Freeze now", ready.now)]
    if ready.then is not None and ready.passes:
        lines += _freeze(f"After {ready.passes} more {'pass' if ready.passes == 1 else 'passes'}", ready.then)
    if ready.levers:
        lines += ["", " What would help, each alone:"]
        for lever in ready.levers:
            after = f" after {lever.passes} more" if lever.passes else ""
            text = f" {lever.name:<13}{lever.verdict:<8} {_seconds(lever.freeze)}{after}: {lever.text}"
            lines += textwrap.wrap(text, look.width - 1, subsequent_indent=" " * 14)
    return [line.rstrip() for line in lines]


def readiness_json(name: str, history: History, ready: Readiness) -> dict[str, Any]:
    """All of it as one object; seconds, bytes, and the origin of each measured rate."""
    found = msgspec.to_builtins(ready)
    return {
        "type": "readiness",
        "profile": name,
        **{key: found[key] for key in ("verdict", "reason", "window", "passes", "changes", "next_pass", "levers")},
        "freeze": _freeze_json(ready.now),
        "freeze_then": _freeze_json(ready.then),
        "past_passes": [msgspec.to_builtins(each) for each in history.passes],
        "measured": msgspec.to_builtins(history.measured),
    }


def _freeze_json(found: Freeze | None) -> dict[str, Any] | None:
    if found is None:
        return None
    parts = {name: msgspec.to_builtins(seconds) for name, seconds in found.parts.items()}
    return {"seconds": msgspec.to_builtins(found.whole), "parts": parts, "requests": found.requests}


def _passes(history: History, ready: Readiness, look: Look) -> list[str]:
    lines = [f" {'pass':>4}  {'began':<16}  {'scan':>8}  {'changed':>8}  {'bytes':>8}  {'gone':>7}  took"]
    for number, each in list(enumerate(history.passes, 1))[-SHOWN_PASSES:]:
        scan = "" if each.scan_seconds is None else format_duration(each.scan_seconds)
        note = "" if each.status == "SUCCESS" else f"  {each.status}"
        lines.append(
            f" {number:>4}  {moment(each.began_at, look.zone)[:16]}  {scan:>8}  {format_count_short(each.files):>8}  "
            f"{format_bytes(each.bytes):>8}  {format_count_short(each.deletions):>7}  "
            f"{format_duration(each.seconds)}{note}"
        )
    if ready.changes is not None and ready.next_pass is not None:
        changes = ready.changes
        lines.append(
            f" next  {files_range(changes.files, format_count_short)}, {_range(changes.bytes, format_bytes)}, "
            f"{_range(changes.deletions, format_count_short)} gone; takes {_seconds(ready.next_pass)}"
        )
    return lines


def _freeze(title: str, found: Freeze) -> list[str]:
    lines = [f" {title}: {_seconds(found.whole)}"]
    lines += [f"   {name:<20}{_seconds(seconds)}" for name, seconds in found.parts.items()]
    if found.requests:
        lines.append("   requests            " + ", ".join(f"{format_count(n)} {k}" for k, n in found.requests.items()))
    return lines


def _seconds(seconds: Seconds) -> str:
    return format_duration_range(seconds.low, seconds.high)


def _range(found: Range, text: Any) -> str:
    low, high = text(found.low), text(found.high)
    return low if low == high else f"{low} - {high}"
