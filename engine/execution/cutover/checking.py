"""What a verification says of a cutover: the same, or the source changed since the final delta, or the sides differ."""

from __future__ import annotations

from typing import Any, NamedTuple

from engine.execution.comparing.verification import Verification
from engine.quantities import format_count


class Judgement(NamedTuple):
    """``changed``: what is known to have changed at the source, in words; ``differs``: how the sides differ. "" if not.

    What is at the destination alone is no fault: it was deleted at the source, or others put it there.
    """

    changed: str
    differs: str

    @property
    def good(self) -> bool:
        """Whether the destination can take over."""
        return not (self.changed or self.differs)


def judge(found: Verification, delta: dict[str, Any]) -> Judgement:
    """Judge a strict verification by the report of the final delta before it."""
    changed = []
    if found.source_changed:
        changed.append(f"{_files(found.source_changed)} new or changed")
    expected = files_at_source(delta)
    if expected is not None and found.files < expected:
        changed.append(f"{_files(expected - found.files)} gone")
    faults = {name: count for name, count in sorted(found.differences.items()) if name != "foreign"}
    return Judgement(", ".join(changed), ", ".join(f"{format_count(count)} {name}" for name, count in faults.items()))


def files_at_source(report: dict[str, Any]) -> int | None:
    """Files that a verification after this execution finds at an unchanged source.

    None where it cannot be told: devices that are copied are nothing to a verification.
    """
    if report["migration"]["options"].get("preserve_devices") == "PRESERVE":
        return None
    files, skipped = report["files"], report["skipped"]
    never = sum(skipped.get(reason, 0) for reason in ("special", "vanished"))
    return int(files["discovered"] - files["excluded"] - never)


def _files(count: int) -> str:
    return f"{format_count(count)} {'file' if count == 1 else 'files'}"
