"""Whether a source can be read: its root, and a few files in each of its top folders."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

import pyarrow.compute as pc

from engine.errors import LocationError, SourceError
from engine.execution.checking.findings import Finding, failure, ok, warning
from engine.filters import Filters
from engine.locations.listing import ScanLimit
from engine.model import Fate, FilterSpec, Kind
from engine.names import text_of
from engine.planning.partition import TaskSelector
from engine.quantities import format_count

MOST_FOLDERS = 200
"""Top folders that are looked into, evenly chosen where there are more."""

FILES_OF_A_FOLDER = 3
READ_BYTES = 64 << 10
LOOK = ScanLimit(rows=500, seconds=1.0, slice_rows=500)
SLOW_OPEN_SECONDS = 0.010
"""A file of a source within a data centre is opened in single-digit milliseconds."""


class _Looked(NamedTuple):
    """What came of looking into a folder: seconds of each open, and why something could not be read."""

    opens: list[float]
    troubles: list[str]


def check_source(source: Any, filters: FilterSpec) -> Iterator[Finding]:
    """Findings about an open location. Its files are opened and read, never changed."""
    try:
        source.check_source()
        folders = source.top_folders()
    except LocationError as error:
        yield failure("source", str(error), "")
        return
    yield ok("source", f"{source.describe()}; {format_count(len(folders))} top folders")
    selector = TaskSelector(Filters(filters))
    sample = _evenly(folders, MOST_FOLDERS)
    looked = [_look_into(source, selector, folder) for folder in sample if selector.enters(folder)]
    looked.append(_look_into(source, selector, b"", only_root=True))
    troubles = [trouble for each in looked for trouble in each.troubles]
    opens = [seconds for each in looked for seconds in each.opens]
    if troubles:
        yield failure(
            "source",
            f"{len(troubles)} of what was tried cannot be read, such as {troubles[0]}",
            "Run as root or as an account that may read all of it, on NFS also without root_squash; what cannot be "
            "read fails and holds deletions back.",
        )
    elif opens:
        yield ok("source", f"{len(opens)} files in {len(looked)} places opened and read")
    else:
        yield warning("source", "no file was found where it was looked for", "See whether the filters leave any.")
    if opens:
        yield _latency(median(opens), network=source.capabilities.network)


def _latency(seconds: float, *, network: bool) -> Finding:
    text = f"opening a file takes {seconds * 1_000:.2g} ms"
    if network and seconds > SLOW_OPEN_SECONDS:
        return warning(
            "source", text, "The agent is far from the source: place it within single-digit milliseconds of it."
        )
    return ok("source", text)


def _evenly(folders: Sequence[bytes], most: int) -> list[bytes]:
    if len(folders) <= most:
        return list(folders)
    return [folders[index * len(folders) // most] for index in range(most)]


def _look_into(source: Any, selector: TaskSelector, folder: bytes, *, only_root: bool = False) -> _Looked:
    """List a part of what is below ``folder`` (or of the root's own entries) and read some of its files."""
    found = _Looked([], [])
    try:
        rows = source.scan([folder], LOOK, selector, 1).rows
    except SourceError as error:
        found.troubles.append(f"{text_of(folder) or 'the root'} ({error})")
        return found
    if only_root:
        rows = rows.filter(pc.equal(rows["dir"], b""))
    for row in rows.filter(pc.is_valid(rows["error"])).slice(0, FILES_OF_A_FOLDER).to_pylist():
        found.troubles.append(f"{text_of(_path(row)) or 'the root'} ({row['error']})")
    files = rows.filter(pc.and_(pc.equal(rows["kind"], int(Kind.FILE)), pc.equal(rows["fate"], int(Fate.CANDIDATE))))
    for row in files.slice(0, FILES_OF_A_FOLDER).to_pylist():
        _read(source, _path(row), found)
    return found


def _read(source: Any, path: bytes, found: _Looked) -> None:
    began = time.monotonic()
    try:
        file = source.open_file(path, 0, READ_BYTES)
        try:
            file.read_into(memoryview(bytearray(READ_BYTES)), 0)
        finally:
            file.close()
    except FileNotFoundError:
        return  # gone since it was listed
    except OSError as error:
        found.troubles.append(f"{text_of(path)} ({error.strerror or error})")
        return
    found.opens.append(time.monotonic() - began)


def _path(row: dict[str, Any]) -> bytes:
    return b"/".join(part for part in (row["dir"], row["name"]) if part)
