"""What it takes to run an Engine in a test: configurations, units made from real folders, results as plain rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from engine.filters import Filters
from engine.locations.listing import ScanLimit
from engine.locations.posix import PosixLocation
from engine.locations.posix_files import PosixFile
from engine.model import Action, FilterSpec, Identity, Kind, LocationSpec, TransferOptions
from engine.planning.partition import TaskSelector
from engine.transfer.engine import Engine
from engine.transfer.units import AgentConfig, CopyUnit, PartsUnit, UnitOutcome, from_ipc, to_ipc

SECONDS = 60
"""How long a test waits for a unit before it counts as hung."""


def spec_of(folder: Path) -> LocationSpec:
    """The location of a folder."""
    return LocationSpec(url=str(folder))


def config_of(source: Path, destination: LocationSpec, **changes: Any) -> AgentConfig:
    """A configuration with short retries; ``changes`` are fields of AgentConfig."""
    fields: dict[str, Any] = {
        "execution": "test",
        "source": spec_of(source),
        "destination": destination,
        "filters": FilterSpec(),
        "options": TransferOptions(),
        "retry_seconds": 20.0,
        "stall_seconds": 20.0,
    }
    return AgentConfig(**(fields | changes))


@contextmanager
def engine_of(config: AgentConfig) -> Iterator[Engine]:
    """An engine that is closed at the end."""
    engine = Engine(config, "agent-1")
    try:
        yield engine
    finally:
        engine.close()


def entries_of(source: Path) -> pa.Table:
    """All entries below ``source``, without the rows that close folders and without the root."""
    location = PosixLocation(spec_of(source))
    batch = location.scan([b""], ScanLimit(1_000_000, 60), TaskSelector(Filters(FilterSpec())), 1)
    location.close()
    rows = batch.rows
    named = pc.not_equal(rows["name"], b"")
    return rows.filter(pc.and_(named, pc.not_equal(rows["kind"], int(Kind.LISTED)))).sort_by("name")


def copy_unit(source: Path, epoch: int = 0, unit_id: int = 1) -> CopyUnit:
    """One unit of everything below ``source`` as it is now."""
    return CopyUnit(unit_id, epoch, to_ipc(entries_of(source)))


def parts_unit(
    source: Path, name: str, upload_id: str, part_size: int, first: int = 1, last: int | None = None
) -> PartsUnit:
    """A unit of parts of the file ``name`` as it is now."""
    found = (source / name).stat()
    identity = Identity(0, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    count = -(-found.st_size // part_size)
    return PartsUnit(1, 0, name.encode(), upload_id, identity, part_size, first, last or count)


def results_of(outcome: UnitOutcome) -> dict[bytes, dict[str, Any]]:
    """The results by path."""
    rows = from_ipc(outcome.table).to_pylist()
    return {row["dir"] + b"/" + row["name"] if row["dir"] else row["name"]: row for row in rows}


def actions_of(outcome: UnitOutcome) -> dict[bytes, tuple[Action, str | None]]:
    """Action and reason by path."""
    return {path: (Action(row["action"]), row["reason"]) for path, row in results_of(outcome).items()}


def change_before_confirm(monkeypatch: pytest.MonkeyPatch, times: int, change: Callable[[bytes], object]) -> None:
    """Run ``change(path)`` between the read of a file and its confirmation, the first ``times`` times."""
    confirm, left = PosixFile.confirm, iter(range(times))

    def changing(self: PosixFile) -> Identity:
        if next(left, None) is not None:
            change(self._full_path)
        return confirm(self)

    monkeypatch.setattr(PosixFile, "confirm", changing)
