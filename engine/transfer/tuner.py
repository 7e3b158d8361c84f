"""How many requests to keep in flight: more while more of them bring more, fewer where fewer do as well. Pure."""

from __future__ import annotations

from enum import Enum

FILE_BYTES = 256 << 10
"""Bytes that count as much as one file, so that one rate serves small and large: the knee of published tests."""

LEAST = 8
MOST = 250
"""Connections that one agent may use."""

_GAIN = 1.3
"""A doubled window is kept if it brings this much more."""

_GROWTH_LOOKS = 2
"""The first look at a doubled window still holds what was under way before, and the haste of a moment."""

_UP, _UP_GAIN = 1.25, 1.05
_DOWN, _DOWN_LOSS = 0.8, 0.98
_FORGET = 0.995
"""What is left of the best rate with every look: conditions change."""

_REST_LOOKS, _LONGEST_REST_LOOKS = 12, 96
_TRIAL_LOOKS = 8


class _Phase(Enum):
    GROWING = "growing"
    RESTING = "resting"
    TRYING = "trying"


class Tuner:
    """Looked at four times a second. It grows by doubling until that no longer pays, then tries its neighbourhood.

    Trials that change nothing become rare, for each costs a little.
    """

    def __init__(self, start: int, least: int = LEAST, most: int = MOST) -> None:
        self.window = start
        self._least = least
        self._most = most
        self._phase = _Phase.GROWING
        self._before = start
        self._best = self._base = 0.0
        self._up = True
        self._warm = False
        self._rest = _REST_LOOKS
        self._done = 0.0
        self._seconds = 0.0
        self._looks = 0

    def look(self, seconds: float, files: int, size: int, *, wanted: bool) -> int:
        """The window from now on. In the last ``seconds``, ``files`` and ``size`` bytes were done.

        ``wanted``: requests had to wait for the window; a window that nobody fills says nothing, and stays. So does the
        first one that is filled: work began somewhere in it.
        """
        self._best *= _FORGET
        if not (wanted and self._warm) or seconds <= 0:
            self._warm = wanted
            self._begin(self._phase)
            return self.window
        self._done += size + FILE_BYTES * files
        self._seconds += seconds
        self._looks += 1
        rate = self._done / self._seconds
        match self._phase:
            case _Phase.GROWING:
                self._grow(rate)
            case _Phase.RESTING if self._looks >= self._rest:
                self._try(rate)
            case _Phase.TRYING if self._looks >= _TRIAL_LOOKS:
                self._judge(rate)
        return self.window

    def _grow(self, rate: float) -> None:
        pays = rate >= self._best * _GAIN
        if pays and self.window < self._most:
            self._best, self._before = rate, self.window
            self._set(self.window * 2, _Phase.GROWING)
        elif pays or self._looks >= _GROWTH_LOOKS:
            self._best = max(self._best, rate)
            self._set(self.window if pays else self._before, _Phase.RESTING)
        else:
            self._done = self._seconds = 0.0

    def _try(self, rate: float) -> None:
        self._base, self._best = rate, max(self._best, rate)
        self._before = self.window
        self._set(round(self.window * (_UP if self._up else _DOWN)), _Phase.TRYING)

    def _judge(self, rate: float) -> None:
        least = self._base * _UP_GAIN if self._up else max(self._base, self._best) * _DOWN_LOSS
        kept = rate >= least
        if kept and self.window != self._before:
            self._rest = _REST_LOOKS
            self._try(rate)
            return
        self._up = not self._up
        self._rest = min(2 * self._rest, _LONGEST_REST_LOOKS)
        self._set(self._before, _Phase.RESTING)

    def _set(self, window: int, phase: _Phase) -> None:
        self.window = max(self._least, min(self._most, window))
        self._begin(phase)

    def _begin(self, phase: _Phase) -> None:
        self._phase = phase
        self._done = self._seconds = 0.0
        self._looks = 0
