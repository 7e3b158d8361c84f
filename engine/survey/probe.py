"""How fast a source lets itself be read from this host: the time to a first byte, and rates by concurrency."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from engine.locations.base import DropsCache, Location, Reads
from engine.survey.facts import ReadRate, SourceProbe
from engine.survey.samples import Chosen, any_files, by_size

READERS = (1, 4, 16)
STEP_SECONDS = 1.5
OPEN_SECONDS = 2.0
MOST_OPENED = 100
PIECE_BYTES = 1 << 20
MOST_FILE_BYTES = 64 << 20
"""Read of one file at most: so that one huge file does not stand for all."""

SMALL_BYTES = 1 << 20
"""Below this a rate says more of opening files than of reading them."""

_FILES_A_STEP = 500


def probe(location: Location, segments: Sequence[Path], spill: Path, cancelled: Callable[[], bool]) -> SourceProbe:
    """Open and read files of the catalog ``segments``, each step others, for about seven seconds in all.

    What is read is dropped from this host's cache before, as far as the location can; what a server or disk array keeps
    in its own is not known, so rates may be higher than those of a run. ``location`` must be one that Reads.
    Ends early once ``cancelled``, with what there is. Raises OSError, LocationError.
    """
    if not isinstance(location, Reads):
        raise TypeError(f"{location.url} has no files to read")
    notes = [_cache_note(location)]
    latencies = _first_bytes(location, any_files(segments, spill, MOST_OPENED), cancelled)
    files = by_size(segments, spill, _FILES_A_STEP * len(READERS))
    rates: list[ReadRate] = []
    for step, readers in enumerate(READERS):
        own = files[step :: len(READERS)]  # of each size about as many in each step
        if cancelled() or not own:
            break
        rate = _read_rate(location, own, readers, cancelled)
        rates.append(rate)
    shortest = min((rate.seconds for rate in rates), default=STEP_SECONDS)
    if shortest < STEP_SECONDS / 2:
        notes.append(f"too few files to tell: all of a step were read within {shortest:.2f} s")
    if rates and sum(rate.bytes for rate in rates) < SMALL_BYTES * sum(rate.files for rate in rates):
        notes.append("most files are small: these rates are of opening them, more than of reading")
    return SourceProbe(
        mount=location.describe(),
        opened=len(latencies),
        first_byte_median=median(latencies) if latencies else None,
        first_byte_p95=_percentile(latencies, 0.95) if latencies else None,
        rates=tuple(rates),
        notes=tuple(notes),
    )


def _cache_note(location: Reads) -> str:
    if isinstance(location, DropsCache):
        return "not from this host's page cache, but perhaps from that of the server or disks"
    return "perhaps from the cache of the server"


def _first_bytes(location: Reads, files: Sequence[Chosen], cancelled: Callable[[], bool]) -> list[float]:
    """Seconds to open each of ``files`` and to get its first byte, one after the other."""
    until = time.monotonic() + OPEN_SECONDS
    found = []
    byte = memoryview(bytearray(1))
    for chosen in files:
        if time.monotonic() >= until or cancelled():
            break
        try:
            _forget(location, chosen)
            started = time.perf_counter()
            file = location.open_file(chosen.path, 0, 1)
            try:
                file.read_into(byte, 0)
                found.append(time.perf_counter() - started)
            finally:
                file.close()
        except OSError:
            continue
    return found


def _read_rate(location: Reads, files: Sequence[Chosen], readers: int, cancelled: Callable[[], bool]) -> ReadRate:
    """Let ``readers`` threads read ``files`` from the first on for STEP_SECONDS, or until none is left."""
    waiting = iter(files)
    lock = threading.Lock()
    counts = [0, 0]
    started = time.monotonic()
    until = started + STEP_SECONDS

    def read() -> None:
        buffer = memoryview(bytearray(PIECE_BYTES))
        while time.monotonic() < until and not cancelled():
            with lock:
                chosen = next(waiting, None)
                if chosen is None:
                    return
                counts[0] += 1
            size = _read_file(location, chosen, buffer, lambda: time.monotonic() >= until or cancelled())
            with lock:
                counts[1] += size

    with ThreadPoolExecutor(readers, "xsync-probe") as pool:
        for done in [pool.submit(read) for _ in range(readers)]:
            done.result()
    seconds = max(time.monotonic() - started, 1e-9)
    return ReadRate(readers, counts[1] / seconds, counts[1], counts[0], seconds)


def _read_file(location: Reads, chosen: Chosen, buffer: memoryview, stopped: Callable[[], bool]) -> int:
    """Bytes read of a file before it ended or the time did."""
    size = min(chosen.size, MOST_FILE_BYTES)
    offset = 0
    try:
        _forget(location, chosen)
        file = location.open_file(chosen.path, 0, size)
        try:
            while offset < size and not stopped():
                count = file.read_into(buffer[: min(len(buffer), size - offset)], offset)
                if not count:
                    break
                offset += count
        finally:
            file.close()
    except OSError:
        pass
    return offset


def _forget(location: Reads, chosen: Chosen) -> None:
    if isinstance(location, DropsCache):
        location.drop_cache(chosen.path)


def _percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all are not above (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
