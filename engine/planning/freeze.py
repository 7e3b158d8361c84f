"""What the freeze of a cutover consists of, and how long each part takes; and how long a pass before it takes. Pure."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from engine.planning.capacity import Fleet, fleet
from engine.planning.churn import Changes
from engine.planning.estimate import MARGINS, estimate
from engine.planning.requests import pages
from engine.planning.values import Dataset, Figure, Origin, PlanLimit, Range, Seconds

Verify = Literal["POINT_IN_TIME_CONSISTENT", "ONLY_FILES_TRANSFERRED"]

NO_TIME = Seconds(0.0, 0.0, 0.0)

LISTING = Figure(10_000.0, Origin("default", "10,000 entries/s; a survey or a pass measures it"))
DELETING = Figure(1_000.0, Origin("default", "1,000 deletions/s; a pass that deletes measures it"))
FOLDER_TIMES = Figure(2_000.0, Origin("default", "2,000 folders/s; a pass measures it"))
HEADS = Figure(800.0, Origin("default", "16 HEAD at a time, 20 ms each; a verification measures it"))


class Work(msgspec.Struct, frozen=True):
    """What the passes and the freeze of a migration have to do, and how fast that is done. Rates are a second.

    ``entries``, ``folders``: of the source, folders being among the entries; ``held``: entries of the destination.
    ``limits``, ``agents``, ``hosts``: those of ``capacity.fleet``. ``listing``, ``destination_listing``: entries.
    ``deleting``: entries; None: the profile deletes nothing. ``folder_times``: folders whose times are set last; None:
    the destination has none. ``verifying``: entries of the source, in a verification as it was measured, None: from the
    listings and ``heads`` requests for ``asked`` entries that no ETag is recorded of. ``overhead``: seconds in which a
    run begins and ends. ``look_first``: the source is listed once to see when it last changed. ``source_objects``,
    ``destination_objects``: it is a bucket.
    """

    entries: int
    folders: int
    held: int
    limits: tuple[PlanLimit, ...]
    agents: int
    hosts: int = 1
    listing: Figure = LISTING
    destination_listing: Figure = LISTING
    deleting: Figure | None = None
    folder_times: Figure | None = None
    verifying: Figure | None = None
    asked: int = 0
    heads: Figure = HEADS
    overhead: Figure | None = None
    look_first: bool = False
    source_objects: bool = False
    destination_objects: bool = True
    verify_mode: Verify = "POINT_IN_TIME_CONSISTENT"

    @property
    def fleets(self) -> tuple[Fleet, Fleet]:
        """All agents together, and one of them."""
        return fleet(self.limits, self.agents, self.hosts), fleet(self.limits, 1)


class Freeze(msgspec.Struct, frozen=True):
    """The parts of a freeze, one after the other, and its requests by kind.

    ``look``: when the source last changed. ``scan``: both sides listed, for a cutover takes no state's word. ``delta``:
    what changed is sent. ``overhead``: the run begins and ends. ``requests``: LIST and HEAD.
    """

    look: Seconds
    scan: Seconds
    delta: Seconds
    deletions: Seconds
    folder_times: Seconds
    verification: Seconds
    overhead: Seconds
    requests: dict[str, int]

    @property
    def parts(self) -> dict[str, Seconds]:
        """Name -> how long, in order, without those that take no time."""
        named = {
            "look at the source": self.look,
            "scan": self.scan,
            "delta": self.delta,
            "deletions": self.deletions,
            "folder times": self.folder_times,
            "verification": self.verification,
            "start and end": self.overhead,
        }
        return {name: seconds for name, seconds in named.items() if seconds.high > 0}

    @property
    def whole(self) -> Seconds:
        """All parts."""
        total = NO_TIME
        for seconds in self.parts.values():
            total = total.plus(seconds)
        return total


def pass_seconds(changes: Changes, work: Work) -> Seconds:
    """How long a pass takes that finds ``changes``: T = scan + max(D_files / F, D_bytes / B), and what a run needs."""
    gone = _amount(changes.deletions, work.deleting)
    run = _scan(work).plus(_delta(changes, work)).plus(gone).plus(_counted(work.folders, work.folder_times))
    return run.plus(_overhead(work))


def freeze(changes: Changes, work: Work) -> Freeze:
    """The freeze of a cutover that finds ``changes`` since the pass before it."""
    there = _counted(work.held, work.destination_listing)
    return Freeze(
        look=_scan(work) if work.look_first else NO_TIME,
        scan=_scan(work).plus(there),
        delta=_delta(changes, work),
        deletions=NO_TIME if work.deleting is None else there.plus(_amount(changes.deletions, work.deleting)),
        folder_times=_counted(work.folders, work.folder_times),
        verification=_verification(work),
        overhead=_overhead(work),
        requests=_requests(work),
    )


def _scan(work: Work) -> Seconds:
    return _counted(work.entries, work.listing)


def _delta(changes: Changes, work: Work) -> Seconds:
    together, one = work.fleets
    low, likely, high = (
        estimate(Dataset(math.ceil(files), math.ceil(size)), together, one)
        for files, size in (
            (changes.files.low, changes.bytes.low),
            (changes.files.likely, changes.bytes.likely),
            (changes.files.high, changes.bytes.high),
        )
    )
    return Seconds(min(low.low, likely.likely), likely.likely, max(likely.likely, high.high))


def _verification(work: Work) -> Seconds:
    if work.verify_mode == "ONLY_FILES_TRANSFERRED":
        return NO_TIME
    if work.verifying is not None:
        return _counted(work.entries, work.verifying)
    both = _scan(work).plus(_counted(work.held, work.destination_listing))
    return both.plus(_counted(work.asked, work.heads))


def _requests(work: Work) -> dict[str, int]:
    """LIST and HEAD of the whole freeze."""
    verifies = work.verify_mode == "POINT_IN_TIME_CONSISTENT"
    source = 1 + work.look_first + verifies
    destination = 1 + (work.deleting is not None) + verifies
    lists = pages(work.entries) * source * work.source_objects
    lists += pages(work.held) * destination * work.destination_objects
    heads = work.asked if verifies and work.destination_objects else 0
    return {name: count for name, count in (("LIST", lists), ("HEAD", heads)) if count}


def _overhead(work: Work) -> Seconds:
    return NO_TIME if work.overhead is None else _counted(work.overhead.value, Figure(1.0, work.overhead.origin))


def _counted(count: float, rate: Figure | None) -> Seconds:
    return _amount(Range(count, count, count), rate)


def _amount(count: Range, rate: Figure | None) -> Seconds:
    """Seconds for so many at ``rate``, with the margin of what that rests on; None takes no time."""
    if rate is None:
        return NO_TIME
    less, more = MARGINS[rate.origin.kind]
    likely = count.likely / rate.value
    return Seconds(count.low / rate.value * (1 - less), likely, count.high / rate.value * (1 + more))
