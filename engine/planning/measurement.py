"""What a test run measured: its steps, where their time went, and what follows. Pure values."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.planning.values import Scope, SizeBin

Ended = Literal["steady", "out of time", "out of data", "stopped"]
Word = Literal["MEASURED", "LINEAR", "FLAT", "THROTTLED", "UNEVEN", "LIMITED", "NOT STEADY", "TOO SMALL"]
Waits = Literal["source", "cpu", "destination", "limit", "idle"]


class Shares(msgspec.Struct, frozen=True):
    """Where the time of the agents went, as shares that sum up to 1.

    ``destination``: waiting for the network or the destination behind it; ``limit``: for the bandwidth limit;
    ``idle``: with nothing to move.
    """

    source: float = 0.0
    cpu: float = 0.0
    destination: float = 0.0
    limit: float = 0.0
    idle: float = 0.0

    @property
    def largest(self) -> Waits:
        """What took most of it."""
        names: tuple[Waits, ...] = ("destination", "source", "cpu", "limit", "idle")
        return max(names, key=lambda name: float(getattr(self, name)))


class Link(msgspec.Struct, frozen=True):
    """The busiest network interface of the host: bytes/s sent or received, and its speed in bytes/s (0: unknown)."""

    name: str
    bytes_per_second: float
    speed: float = 0.0

    @property
    def full(self) -> bool:
        """Whether it carries about what it can: 90 % of its speed is payload and headers."""
        return self.speed > 0 and self.bytes_per_second >= 0.9 * self.speed


class Step(msgspec.Struct, frozen=True):
    """So many agents at work on ``folders`` (text). Rates are of all of them, over the ``seconds`` that count.

    ``distance``: of the folders' size mix from the whole, 0 to 1. ``spread``: (highest - lowest) / mean of the windows.
    ``steady_after``: seconds from the first byte. ``bins``: what there was to copy. ``each``: bytes/s and files/s of
    each agent. ``cores``: that an agent kept busy; ``host_cpu``: share of the host's; ``quota``: of the time in which a
    CPU quota was used up. ``slowed``: how often the destination asked for fewer requests. ``moved_bytes``,
    ``moved_files``: of the whole step. ``limit``: the bandwidth limit in bytes/s where it held the agents back, None
    where it did not: rates under it are those of the limit, and say nothing about agents or their path.
    """

    agents: int
    folders: tuple[str, ...]
    distance: float
    ended: Ended
    seconds: float
    files_per_second: float
    bytes_per_second: float
    spread: float
    steady_after: float | None
    bins: tuple[SizeBin, ...]
    each: tuple[tuple[float, float], ...]
    shares: Shares
    cores: float
    host_cpu: float
    quota: float = 0.0
    slowed: int = 0
    link: Link | None = None
    execution: str = ""
    moved_files: int = 0
    moved_bytes: int = 0
    whole_seconds: float = 0.0
    limit: float | None = None

    @property
    def steady(self) -> bool:
        """Whether its rate may be built on."""
        return self.ended == "steady" or (self.ended == "out of time" and self.spread <= NEARLY_STEADY)


HELD_SHARE, HELD_RATE = 0.05, 0.9
"""A limit that agents waited for so much of their time, or came so near to, held them back."""


def held_back(waited: float, bytes_per_second: float, limit: float | None) -> bool:
    """Whether a bandwidth limit bound agents that ``waited`` for it so much of their time, and had this rate."""
    return waited >= HELD_SHARE or (limit is not None and bytes_per_second >= HELD_RATE * limit)


NEARLY_STEADY = 0.10
"""A step that ran out of time with a spread up to this counts, with a wider range."""


class Bottleneck(msgspec.Struct, frozen=True):
    """What binds, in a few words, and what it is a limit of."""

    name: str
    scope: Scope


class Verdict(msgspec.Struct, frozen=True):
    """One word, and a sentence that names the bottleneck. ``after`` (FLAT): agents beyond which nothing is gained."""

    word: Word
    sentence: str
    bottleneck: Bottleneck | None = None
    after: int | None = None

    @property
    def title(self) -> str:
        """The word as it is shown."""
        return self.word if self.after is None else f"{self.word} AFTER {self.after}"
