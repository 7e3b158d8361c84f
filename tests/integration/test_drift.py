"""A destination that is listed before a run: seen by people, stopped when asked to, and counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DestinationError, StoppedError
from engine.execution.committer import Committer
from engine.execution.comparing import drift
from engine.execution.comparing.drift import (
    Reason,
    Runs,
    count_doubts,
    count_run,
    list_destination,
    read_runs,
    reason_to_list,
)
from engine.journal.commands import ask
from engine.journal.reader import read_snapshot
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.locations.posix import PosixLocation
from engine.model import LocationSpec, Migration, Snapshot, Status, TransferOptions
from engine.survey.listing import Listing

REASON = Reason("drift", "because")


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    (tmp_path / "there" / "d").mkdir(parents=True)
    return Migration(LocationSpec("/a"), LocationSpec(str(tmp_path / "there")))


@pytest.fixture
def folder(tmp_path: Path, migration: Migration) -> Path:
    Journal.create(tmp_path / "x", Execution("x", migration, "", "", 1.0), this_runner()).close()
    return tmp_path / "x"


def _listed(folder: Path, migration: Migration) -> tuple[Path | BaseException, Snapshot]:
    async def scenario() -> Path | BaseException:
        committer = Committer(folder)
        await committer.open()
        try:
            work = list_destination(folder, migration, REASON, committer)
            return (await asyncio.gather(work, return_exceptions=True))[0]
        finally:
            await committer.close()

    found = asyncio.run(scenario())
    return found, read_snapshot(folder)


def test_the_listing_is_shown_and_kept(folder: Path, migration: Migration) -> None:
    found, snapshot = _listed(folder, migration)
    assert found == folder / "destination.parquet"
    assert snapshot.status is Status.PREPARING
    assert [event.kind for event in snapshot.events] == ["drift", "drift"]
    assert "2 entries" in " ".join(event.text for event in snapshot.events)
    assert not (folder / "destination").exists()


def test_a_cancelled_listing_is_cancelled(folder: Path, migration: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*_: Any, cancelled: Callable[[], bool], **__: Any) -> Listing:
        while not cancelled():
            time.sleep(0.01)
        raise StoppedError("stopped before its end")

    monkeypatch.setattr(drift, "list_entries", hangs)
    ask(folder, "cancel", {}, "me")
    found, snapshot = _listed(folder, migration)
    assert isinstance(found, StoppedError)
    assert snapshot.status is Status.CANCELLED


def test_a_folder_that_cannot_be_listed_is_an_error_that_names_it(
    folder: Path, migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "listing_error", lambda _: (b"d", "Permission denied"))
    found, _ = _listed(folder, migration)
    assert isinstance(found, DestinationError)
    assert "folder d cannot be listed: Permission denied" in str(found)


def test_when_a_destination_is_listed(tmp_path: Path, migration: Migration) -> None:
    destination = PosixLocation(migration.destination)

    def reason(known: bool = True, **options: Any) -> str | None:
        asked = Migration(migration.source, migration.destination, options=TransferOptions(**options))
        found = reason_to_list(asked, destination, tmp_path / "state", known=known)
        return found and found.kind

    assert reason() is None
    assert reason(delta="destination") == "drift"
    assert reason(delta="destination", transfer_mode="ALL") is None
    assert reason(known=False) == "adopting"
    (tmp_path / "there" / "d").rmdir()
    assert reason(known=False) is None
    assert reason(known=False, delta="destination") is None
    assert reason(drift_every=1) == "drift"
    (tmp_path / "state").mkdir()
    for _ in range(6):
        assert reason() is None
        count_run(tmp_path / "state", listed=False)
    assert (reason(), reason(drift_every=0)) == ("drift", None)
    count_run(tmp_path / "state", listed=True)
    assert read_runs(tmp_path / "state").unlisted == 0
    count_doubts(tmp_path / "state", 7)
    count_run(tmp_path / "state", listed=False, mends=False)
    assert read_runs(tmp_path / "state") == Runs(1, 7)
    count_run(tmp_path / "state", listed=False)
    assert read_runs(tmp_path / "state") == Runs(2)
    destination.close()
