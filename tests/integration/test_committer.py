"""A commit counts once, whatever happens to those who wait for it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.errors import StorageFullError
from engine.execution.committer import Committer
from engine.execution.ledger import Ledger
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.model import Action, Kind, LocationSpec, Migration, Totals
from engine.transfer.units import RESULT_SCHEMA


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    migration = Migration(LocationSpec("/a"), LocationSpec("/b"))
    Journal.create(tmp_path / "x", Execution("x", migration, "", "", 1.0), this_runner()).close()
    return tmp_path / "x"


async def opened(folder: Path) -> Committer:
    committer = Committer(folder)
    await committer.open()
    committer.ledger = Ledger([Totals()])
    return committer


def result(name: bytes) -> pa.Table:
    row = {"dir": b"", "name": name, "kind": int(Kind.FILE), "task": 0, "action": int(Action.TRANSFERRED), "size": 7}
    return pa.Table.from_pylist([row | {"sent_bytes": 7, "finished_ns": 1}], schema=RESULT_SCHEMA)


def transferred(committer: Committer) -> int:
    return committer.ledger.totals(listing_complete=True).files.transferred


def test_a_commit_that_is_cancelled_while_it_writes_counts_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    write = Committer._write_group

    def slowly(self: Committer, *arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(30)
        return write(self, *arguments)

    async def scenario() -> tuple[int, int]:
        committer = await opened(folder)
        committer.add_results(result(b"one"))
        monkeypatch.setattr(Committer, "_write_group", slowly)
        commit = asyncio.create_task(committer.commit())
        await asyncio.to_thread(begun.wait, 30)
        commit.cancel()
        await asyncio.sleep(0)
        committer.add_results(result(b"two"))
        go_on.set()
        await asyncio.wait([commit])
        assert commit.cancelled()
        await committer.commit()
        segments = await committer.call(lambda journal: journal.segments("results"))
        await committer.close()
        return transferred(committer), sum(segment.rows for segment in segments)

    assert asyncio.run(scenario()) == (2, 2)


def test_what_could_not_be_written_is_written_by_the_next_commit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Committer, *arguments: Any) -> Any:
        raise StorageFullError("full")

    async def scenario() -> int:
        committer = await opened(folder)
        committer.add_results(result(b"one"))
        with monkeypatch.context() as patch:
            patch.setattr(Committer, "_write_group", full)
            with pytest.raises(StorageFullError):
                await committer.commit()
        await committer.commit()
        await committer.close()
        return transferred(committer)

    assert asyncio.run(scenario()) == 1
