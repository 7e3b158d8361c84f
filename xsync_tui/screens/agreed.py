"""What a run was agreed to keep to: the limits of the time that is shown, and when a freeze has to be over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.journal.records import Agreement
from engine.model import Limit, Migration, Snapshot
from engine.quantities import parse_duration
from xsync_tui.drawing.facts import Facts
from xsync_tui.drawing.graph import Window


class Limits:
    """The limits that held, worked out anew only when the time shown or what people chose has changed."""

    def __init__(self) -> None:
        self._of: object = None
        self._found: tuple[list[float | None], Limit | None] = ([], None)

    def over(
        self,
        migration: Migration,
        earlier: Sequence[Agreement],
        chosen: Sequence[tuple[float, float | None]],
        shown: Window,
        snapshot: Snapshot,
    ) -> tuple[list[float | None], Limit | None]:
        """Bytes/s in each bucket, as far as it began; and what follows the limit that holds now, if it ends.

        ``earlier``: what was agreed before ``migration``.
        """
        about = (snapshot.execution, shown, len(chosen), len(earlier), snapshot.limit_until)
        if about != self._of:
            self._of, self._found = about, self._work_out(migration, earlier, chosen, shown, snapshot.limit_until)
        return self._found

    @staticmethod
    def _work_out(
        migration: Migration,
        earlier: Sequence[Agreement],
        chosen: Sequence[tuple[float, float | None]],
        shown: Window,
        until: float | None,
    ) -> tuple[list[float | None], Limit | None]:
        from engine.execution.bandwidth import limits_at

        times = [shown.start + shown.step * (bucket + 0.5) for bucket in range(shown.buckets)]
        held = limits_at(migration, chosen, times, earlier=earlier)
        then = None if until is None else limits_at(migration, chosen, [until], earlier=earlier)[0]
        return [each.bytes_per_second for each in held], then


def freeze_ends(facts: Facts, execution: str) -> float | None:
    """When a freeze that has begun has to be over, for the execution that runs in it (seconds since the epoch)."""
    steps: dict[str, Any] = facts.cutover.steps if facts.cutover is not None else {}
    frozen, window = steps.get("read-only"), facts.profile.cutover.window if facts.profile is not None else None
    snapshot = facts.snapshot
    if frozen is None or window is None or "hand-over" in steps:
        return None
    if snapshot is None or snapshot.execution != execution or snapshot.started_at < frozen["at"]:
        return None
    return float(frozen["at"]) + float(parse_duration(window))
