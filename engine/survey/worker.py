"""One worker of a survey, a process or a thread: lists what it is asked to and writes the rows to its own file."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

from engine.catalog.files import replacing
from engine.catalog.segments import entries_writer
from engine.errors import SourceError, XsyncError
from engine.filters import Filters
from engine.locations.base import Lists, Location
from engine.locations.listing import ScanLimit
from engine.locations.registry import open_location
from engine.model import FilterSpec, Kind, LocationSpec
from engine.planning.partition import TaskSelector
from engine.survey.columns import SURVEY_SCHEMA
from engine.survey.counting import SizeCounts, count_sizes

GROUP_ROWS = 20_000
"""Rows gathered for a row group: a few milliseconds of writing, which is all that is left to do when a scan ends."""

FILE_SECONDS = 30.0
"""After so long a worker begins a new file: what it found in this time is lost if it is killed."""

FIRST_FILE_SECONDS = 2.0
"""The first files are shorter, each twice as long as the one before: what is in files can be asked already."""


class ScanRequest(NamedTuple):
    """What to list next."""

    folders: Sequence[bytes]
    limit: ScanLimit


SHARE: Final = "share"
"""Said to a worker that lists: others are idle, hand back the folders that are left."""

Message = ScanRequest | Literal["share"] | None


class Scanned(NamedTuple):
    """What a request found, and the folders it left. ``errors``: folders that could not be listed."""

    folders_left: list[bytes]
    files: int
    entries: int
    bytes: int
    errors: int = 0
    sizes: SizeCounts = SizeCounts()


class Finished(NamedTuple):
    """The worker's rows are on disk, in these files."""

    files: list[Path]


class Wanted(NamedTuple):
    """What a worker keeps of what it finds. Whatever ``filters`` leave out is EXCLUDED.

    ``sizes``: it also tells how sizes are spread, for 2 to 4 % more work.
    """

    schema: pa.Schema
    filters: Filters
    sizes: bool = False


SURVEYED = Wanted(SURVEY_SCHEMA, Filters(FilterSpec()))
"""Of a survey: all but what is always excluded."""


def work(
    connection: Connection,
    spec: LocationSpec,
    path: Path,
    wanted: Wanted = SURVEYED,
    location: Location | None = None,
) -> None:
    """Say that nothing is scanned yet, then answer each ScanRequest, and None with Finished once all is in files.

    SHARE has the answer to the request before it come soon, and none of its own. The files are ``path``, and others
    named after it: what is in files is not lost if this process dies. An XsyncError or OSError ends the work and is the
    last answer. If nobody listens any more the files are completed all the same.
    ``location``: of ``spec``, open already.
    """
    with connection, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            connection.send(Finished(_serve(connection, cast("Lists", location or open_location(spec)), path, wanted)))
        except XsyncError as error:
            connection.send(error)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except OSError as error:
            connection.send(SourceError(f"the survey of {spec.url} cannot go on: {error.strerror or error}"))


def _serve(connection: Connection, location: Lists, path: Path, wanted: Wanted) -> list[Path]:
    schema, selector = wanted.schema, TaskSelector(wanted.filters)
    columns = schema.names
    nothing = location.scan((), ScanLimit(columns=columns), selector, 0)  # loads what is needed, as does this row:
    gathered = [nothing.rows.select(columns)]
    with entries_writer(io.BytesIO(), schema, fast=True) as writer:
        writer.write_table(pa.table([pa.nulls(1, field.type) for field in schema], schema=schema))
    connection.send(Scanned([], 0, 0, 0))
    files: list[Path] = []
    going = True
    failure: XsyncError | OSError | None = None
    while going:
        file_path = path.with_stem(f"{path.stem}-{len(files)}") if files else path
        with replacing(file_path) as file, entries_writer(file, schema, fast=True) as writer:
            until = time.monotonic() + min(FILE_SECONDS, FIRST_FILE_SECONDS * (1 << min(len(files), 16)))
            while going and time.monotonic() < until:
                request = _next(connection)
                if request is None:
                    going = False
                    break
                try:
                    limit = request.limit._replace(columns=columns, is_awaited=connection.poll)
                    batch = location.scan(request.folders, limit, selector, 0)
                except (XsyncError, OSError) as error:
                    going, failure = False, error
                    break
                gathered.append(batch.rows.select(columns))
                going = _told(connection, _counted(batch.rows, batch.folders_left, wanted))
                if sum(table.num_rows for table in gathered) >= GROUP_ROWS:
                    writer.write_table(pa.concat_tables(gathered))
                    gathered.clear()
            if gathered:
                writer.write_table(pa.concat_tables(gathered))
                gathered.clear()
        files.append(file_path)
    if failure is not None:
        raise failure
    return files


def _told(connection: Connection, answer: Scanned) -> bool:
    """Whether there is still somebody to tell."""
    try:
        connection.send(answer)
    except OSError:
        return False
    return True


def _next(connection: Connection) -> ScanRequest | None:
    """The next request; None at the end, also if whoever asks is gone."""
    message: Message = SHARE
    try:
        while message == SHARE:  # that crossed the answer
            message = connection.recv()
    except (EOFError, OSError):
        return None
    return message


def _counted(rows: pa.Table, folders_left: list[bytes], wanted: Wanted) -> Scanned:
    kinds = rows["kind"]
    sizes = rows["size"].filter(pc.equal(kinds, int(Kind.FILE)))
    listed = pc.equal(kinds, int(Kind.LISTED))
    entries = rows.num_rows - (pc.sum(listed).as_py() or 0)
    errors = pc.sum(pc.and_(listed, pc.is_valid(rows["error"]))).as_py() or 0
    counts = count_sizes(sizes) if wanted.sizes else SizeCounts()
    return Scanned(folders_left, len(sizes), entries, pc.sum(sizes).as_py() or 0, errors, counts)
