"""A folder that could not be listed is listed again by a resume."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from engine.execution import launch
from engine.execution.agents.twin import TwinFleet
from engine.execution.committer import Committer
from engine.execution.ending import end
from engine.execution.runner import Runner
from engine.execution.session import prepare
from engine.journal.reader import read_snapshot
from engine.locations import posix_rows, posix_scan
from engine.locations.listing import Rest
from engine.locks import runner_lock
from engine.model import LocationSpec, Migration, Snapshot, Status
from tests.support import make_source, tree_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))


async def session(folder: Path, *, killed: bool) -> Snapshot:
    """One session with all its units; ``killed``: the runner dies before it concludes."""
    committer = Committer(folder)
    await committer.open()
    with runner_lock(folder):
        prepared = await prepare(folder, committer)
        with prepared.resources:
            outcome = await Runner(prepared, committer, TwinFleet(prepared.agent_config)).run()
            if not killed:
                await end(prepared, committer, outcome)
        await committer.close()
    return read_snapshot(folder)


@pytest.mark.parametrize("partly", [False, True])
def test_a_folder_that_could_not_be_listed_is_listed_by_the_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partly: bool
) -> None:
    source, target = make_source(tmp_path / "source", files=70), tmp_path / "target"
    names = posix_scan._Scan._names
    add = posix_rows.Rows.add

    def broken(self: posix_scan._Scan, fd: int, path: bytes, rest: Rest | None) -> bytes:
        if path == b"top1":
            if not partly:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            monkeypatch.setattr(posix_rows.Rows, "add", half)
        return names(self, fd, path, rest)

    def half(self: posix_rows.Rows, fd: int, found: list[bytes]) -> tuple[list[bytes], bytes]:
        monkeypatch.setattr(posix_rows.Rows, "add", add)
        self.add(fd, sorted(found)[:3])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    migration = Migration(LocationSpec(str(source)), LocationSpec(str(target)), agents=1)
    folder = launch.create(launch.RunRequest(migration))
    with monkeypatch.context() as patch:
        patch.setattr(posix_scan._Scan, "_names", broken)
        before = asyncio.run(session(folder, killed=True))
    assert before.failure_counts == {"folder not listed": 1}
    assert before.totals.files.discovered == before.totals.files.transferred == 56
    after = asyncio.run(session(folder, killed=False))
    assert after.status is Status.SUCCESS, (after.message, after.failure_counts)
    assert after.failure_counts == {}
    assert after.totals.files.discovered == after.totals.files.transferred == 70
    assert after.totals.files.pending == 0
    assert tree_of(target) == tree_of(source)
