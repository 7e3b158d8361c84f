"""When the terminal's bell rings: once when a run first needs a human, once when it ends; never for each failure."""

from __future__ import annotations

from engine.model import Snapshot
from xsync_tui.cli.headline import Life, life_of

_FINE, _NEEDS, _ENDED = 0, 1, 2


class Alarm:
    """Remembers how far each execution was when it was last seen."""

    def __init__(self) -> None:
        self._worst: dict[str, int] = {}

    def rings(self, snapshot: Snapshot, now: float) -> bool:
        """Whether it has just come to need somebody, or to its end; never at the first look, which shows it anyway."""
        stage, before = _stage(snapshot, now), self._worst.get(snapshot.execution)
        self._worst[snapshot.execution] = max(stage, before or _FINE)
        return before is not None and stage > before


def _stage(snapshot: Snapshot, now: float) -> int:
    life = life_of(snapshot, now)
    if life is Life.ENDED:
        return _ENDED
    needs = life is Life.GONE or snapshot.message or any(each.state in ("lost", "stalled") for each in snapshot.agents)
    return _NEEDS if needs else _FINE
