"""One worker of a survey, a process or a thread: lists what it is asked to and writes the rows to its own file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.files import replacing
from engine.catalog.segments import entries_writer
from engine.errors import SourceError, XsyncError
from engine.filters import Filters
from engine.locations.base import Lists, Location
from engine.locations.listing import ENTRY_SCHEMA, ScanLimit
from engine.locations.registry import open_location
from engine.model import FilterSpec, Kind, LocationSpec
from engine.planning.partition import TaskSelector

SURVEY_SCHEMA = pa.schema(
    [ENTRY_SCHEMA.field(name) for name in ("dir", "name", "kind", "fate", "size", "mtime_ns", "dev", "error")]
)
"""The columns that a survey keeps: those that its statistics ask for."""

GROUP_ROWS = 20_000
"""Rows gathered for a row group: a few milliseconds of writing, which is all that is left to do when a scan ends."""


class ScanRequest(NamedTuple):
    """What to list next."""

    folders: Sequence[bytes]
    limit: ScanLimit


class Scanned(NamedTuple):
    """What a request found, and the folders it left. ``errors``: folders that could not be listed."""

    folders_left: list[bytes]
    files: int
    entries: int
    bytes: int
    errors: int = 0


class Finished(NamedTuple):
    """The worker's file is on disk."""


class Wanted(NamedTuple):
    """What a worker keeps of what it finds. Whatever ``filters`` leave out is EXCLUDED."""

    schema: pa.Schema
    filters: Filters


SURVEYED = Wanted(SURVEY_SCHEMA, Filters(FilterSpec()))
"""Of a survey: all but what is always excluded."""


def work(
    connection: Connection,
    spec: LocationSpec,
    path: Path,
    wanted: Wanted = SURVEYED,
    location: Location | None = None,
) -> None:
    """Say that nothing is scanned yet, then answer each ScanRequest, and None with Finished once ``path`` is complete.

    An XsyncError or OSError ends the work and is the last answer. If nobody listens any more the work ends.
    ``location``: of ``spec``, open already.
    """
    with connection, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _serve(connection, cast("Lists", location or open_location(spec)), path, wanted)
            connection.send(Finished())
        except XsyncError as error:
            connection.send(error)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except OSError as error:
            connection.send(SourceError(f"the survey of {spec.url} cannot go on: {error.strerror or error}"))


def _serve(connection: Connection, location: Lists, path: Path, wanted: Wanted) -> None:
    schema, selector = wanted.schema, TaskSelector(wanted.filters)
    columns = schema.names
    nothing = location.scan((), ScanLimit(columns=columns), selector, 0)  # loads all that is needed
    gathered = [nothing.rows.select(columns)]
    connection.send(Scanned([], 0, 0, 0))
    with replacing(path) as file, entries_writer(file, schema, fast=True) as writer:
        while (request := connection.recv()) is not None:
            batch = location.scan(request.folders, request.limit._replace(columns=columns), selector, 0)
            connection.send(_counted(batch.rows, batch.folders_left))
            gathered.append(batch.rows.select(columns))
            if sum(table.num_rows for table in gathered) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(gathered))
                gathered.clear()
        if gathered:
            writer.write_table(pa.concat_tables(gathered))


def _counted(rows: pa.Table, folders_left: list[bytes]) -> Scanned:
    kinds = rows["kind"]
    sizes = rows["size"].filter(pc.equal(kinds, int(Kind.FILE)))
    listed = pc.equal(kinds, int(Kind.LISTED))
    entries = rows.num_rows - (pc.sum(listed).as_py() or 0)
    errors = pc.sum(pc.and_(listed, pc.is_valid(rows["error"]))).as_py() or 0
    return Scanned(folders_left, len(sizes), entries, pc.sum(sizes).as_py() or 0, errors)
