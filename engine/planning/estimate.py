"""How long a dataset takes, before a run and in it, as a range that says what it rests on. Pure.

With N entries (folders and links too), S bytes, F files/s and B bytes/s the three ends are:

- low: everything overlaps, ``max(N / F, S / B, entries / listing rate)``;
- likely: each size by what is slower there, ``sum(max(n_b / F, s_b / B))``, in the slowest scope of the fleet, and the
  tail of the largest file;
- high: nothing overlaps in a scope, ``N / F + S / B``, the tail, and what is sent again.

Each scope may also do less or more than was said, by a margin of the origin of its F and B (``MARGINS``): low is not
above what the fleet takes if all scopes do as well as they may, and high not below what it takes if one of them does as
badly. Margins are wider to the late side, because a roofline is a ceiling that transfers rarely beat.
"""

from __future__ import annotations

import msgspec

from engine.planning.capacity import Fleet, busy_seconds
from engine.planning.timetable import Timetable
from engine.planning.values import Dataset, Figure, Roofline, Seconds
from engine.planning.walltime import wall_seconds

MARGINS = {
    "default": (0.30, 0.70),
    "profile": (0.0, 0.20),
    "survey": (0.15, 0.30),
    "probe": (0.15, 0.30),
    "test run": (0.04, 0.08),
    "execution": (0.04, 0.08),
}
"""By the kind of origin: how much less and how much more than likely.

With a history of transfers the best published models are off by 5 to 8 % in the median (Globus, HPDC 2017: 4.6 %
nonlinear and 7.0 % linear for each edge, 7.8 % for one global model). Defaults come from other people's machines; what
a profile states is what a link carries at most.
"""

PART_BYTES = 16 << 20
"""A file that is cut is done to within one such part wherever its agents finish."""

_LIVE_MARGIN = 0.08


class EstimateOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run does beside copying. Rates are of the whole fleet.

    ``listing``: entries/s; a listing goes on while copying. ``whole_files``: a file is sent by one agent from end to
    end (DataSync), not in parts by all. ``read_back``: bytes/s at which the destination is read again to verify, for
    file destinations. ``rescan``: both sides are listed once more at the end (POINT_IN_TIME_CONSISTENT). ``again``: the
    share that is sent twice at worst. ``start_seconds``: before the first byte moves.
    """

    listing: Figure | None = None
    whole_files: bool = False
    read_back: Figure | None = None
    rescan: bool = False
    again: float = 0.02
    start_seconds: float = 0.0


DEFAULTS = EstimateOptions()


def estimate(
    dataset: Dataset,
    fleet: Fleet | Roofline,
    one: Fleet | Roofline | None = None,
    options: EstimateOptions = DEFAULTS,
    *,
    start: float | None = None,
    timetable: Timetable | None = None,
) -> Seconds:
    """Seconds for ``fleet`` (capacity.fleet), made of agents that are each ``one``, to transfer and verify ``dataset``.

    With ``timetable`` and ``start`` (Unix time) the bandwidth limits of the hours that it falls into are in it.
    """
    fleet = fleet if isinstance(fleet, Fleet) else Fleet((fleet,))
    entries = dataset.files + dataset.others
    if not entries and not dataset.bytes:
        return Seconds(0.0, 0.0, 0.0)
    listed = entries / options.listing.value if options.listing else 0.0
    busy = sum(busy_seconds(dataset, fleet.slowest(dataset)))
    tail = tail_seconds(dataset, busy, one or fleet, whole=options.whole_files)
    serial = max(
        entries / each.files_per_second.value + dataset.bytes / each.bytes_per_second.value for each in fleet.scopes
    )
    floor = max(entries / fleet.files_per_second.value, dataset.bytes / fleet.bytes_per_second.value, listed)
    likely = max(busy + tail, listed)
    latest = max(serial + tail, listed) + options.again * serial
    best, worst = _ends(dataset, fleet, tail, options.listing)
    copying = Seconds(min(floor, best, likely), likely, max(latest, worst, likely))
    if timetable is not None and start is not None:
        copying = wall_seconds(copying, dataset.bytes, start + options.start_seconds, timetable)
    return _started(copying, options).plus(verifying(dataset, options))


def tail_seconds(dataset: Dataset, busy: float, one: Fleet | Roofline, *, whole: bool) -> float:
    """How long one agent works after all others are done: on the largest file, or on a part of it where files are cut.

    ``busy``: seconds that the fleet takes for ``dataset``. What of them is the largest file's already is not counted
    again, so that one agent has no tail, one file takes as long as one agent needs, and no agent makes it slower.
    """
    last = dataset.largest_bytes if whole else min(dataset.largest_bytes, PART_BYTES)
    if not last or not dataset.bytes:
        return 0.0
    return max(0.0, last / one.bytes_per_second.value - busy * last / dataset.bytes)


def verifying(dataset: Dataset, options: EstimateOptions) -> Seconds:
    """Seconds of verification beyond the checksums that are sent along: reading back, listing both sides again.

    At best reading back overlaps with copying: then it adds nothing.
    """
    low = likely = high = 0.0
    if options.read_back is not None:
        seconds = dataset.bytes / options.read_back.value
        less, more = MARGINS[options.read_back.origin.kind]
        likely, high = seconds * (1 - less / 2), seconds * (1 + more)
    if options.rescan and options.listing is not None:
        seconds = (dataset.files + dataset.others) / options.listing.value
        less, more = MARGINS[options.listing.origin.kind]
        low, likely, high = low + seconds * (1 - less), likely + seconds, high + 2 * seconds * (1 + more)
    return Seconds(low, likely, high)


def remaining(
    pending: Dataset, files_per_second: float, bytes_per_second: float, known: Fleet | Roofline | None = None
) -> Seconds | None:
    """Seconds left in a run, from what is pending and the rates of the last seconds; None while no rate is known.

    ``known``: what the fleet is known to do. Its estimate is stretched by how far the live rates are from it: of this
    roofline at least one is reached while all goes as planned, whatever the mix of sizes. While nothing moves the
    estimate stands as it was.

    Without ``known``, what is seen, f and b, are the two at once, so f <= F and b <= B: the rest takes at most
    ``max(N / f, S / b)``, the rates being reachable, and about ``min(N / f, S / b)`` if the rate that was not the limit
    until now becomes it. Both agree while the mix of sizes stays what it was. Where one rate is not known (one huge
    file: no file ends; empty files: no byte moves) the other decides, and high is twice low.

    Counts below zero are taken as zero.
    """
    least = {name: max(0, getattr(pending, name)) for name in ("files", "others", "bytes")}
    pending = msgspec.structs.replace(pending, **least)
    count, size = pending.files + pending.others, pending.bytes
    if not count and not size:
        return Seconds(0.0, 0.0, 0.0)
    if known is not None:
        return _stretched(pending, files_per_second, bytes_per_second, known)
    pairs = (count, files_per_second), (size, bytes_per_second)
    guesses = [left / rate for left, rate in pairs if left and rate > 0]
    if not guesses:
        return None
    low, high = min(guesses) * (1 - _LIVE_MARGIN), max(guesses) * (1 + _LIVE_MARGIN)
    if any(left and rate <= 0 for left, rate in pairs):
        high = max(high, 2 * low)
    return Seconds(low, (low + high) / 2, high)


def circuit_seconds(size: int, bits_per_second: float, utilisation: float = 1.0, hours_a_day: float = 24.0) -> float:
    """The least that ``size`` bytes take over a circuit, whatever sends them; as DataSync's user guide counts it
    (datasync-large-migration-timelines)."""
    return size * 8 / (bits_per_second * utilisation) * 24.0 / hours_a_day


def _stretched(pending: Dataset, files_per_second: float, bytes_per_second: float, known: Fleet | Roofline) -> Seconds:
    reached = max(
        (sum if each.adds else max)(
            (files_per_second / each.files_per_second.value, bytes_per_second / each.bytes_per_second.value)
        )
        for each in (known.scopes if isinstance(known, Fleet) else (known,))
    )
    planned = estimate(pending, known)
    if reached <= 0:
        return planned
    return Seconds(planned.low / reached, planned.likely / reached, planned.high / reached)


def _ends(dataset: Dataset, fleet: Fleet, tail: float, listing: Figure | None) -> tuple[float, float]:
    """Seconds if every scope does as well as it may, and if the one that is slowest then does as badly."""
    ends = [(0.0, 0.0)]
    for scope in fleet.scopes:
        by_files, by_bytes = busy_seconds(dataset, scope)
        less, more = _margin(scope, by_files, by_bytes)
        busy = by_files + by_bytes
        ends.append((busy * (1 - less), (busy + tail) * (1 + more)))
    if listing is not None:
        less, more = MARGINS[listing.origin.kind]
        listed = (dataset.files + dataset.others) / listing.value
        ends.append((listed * (1 - less), listed * (1 + more)))
    return max(low for low, _ in ends), max(high for _, high in ends)


def _margin(scope: Roofline, by_files: float, by_bytes: float) -> tuple[float, float]:
    """Those of F and B, weighed by the time in which each of them binds."""
    if not by_files + by_bytes:
        return 0.0, 0.0
    files, size = (MARGINS[each.origin.kind] for each in (scope.files_per_second, scope.bytes_per_second))
    share = by_files / (by_files + by_bytes)
    return files[0] * share + size[0] * (1 - share), files[1] * share + size[1] * (1 - share)


def _started(range_: Seconds, options: EstimateOptions) -> Seconds:
    """A start takes half as long as it usually does, or twice."""
    seconds = options.start_seconds
    return range_.plus(Seconds(seconds / 2, seconds, seconds * 2))
