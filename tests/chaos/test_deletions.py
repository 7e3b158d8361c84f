"""Kill runner and agents with SIGKILL in the middle of deletions: a resume ends with the identical destination."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from engine.model import Snapshot
from tests.support import Xsync, ended, make_source, tree_of


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def deleted(snapshot: Snapshot) -> int:
    return snapshot.totals.files.deleted + snapshot.totals.folders.deleted


def has_deleted(entries: int, *, since: str) -> Callable[[Snapshot], bool]:
    """Whether an execution after ``since`` has deleted so many entries, or has ended."""
    return lambda now: now.execution != since and (deleted(now) >= entries or now.status.ended)


@pytest.mark.timeout(600)
def test_a_runner_that_is_killed_while_it_deletes(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_source(tmp_path / "source", files=20_000, sizes=(0, 1, 100)), tmp_path / "target"
    (source / "top0" / "changes").write_bytes(b"a file")
    command = ["run", str(source), str(target), "--delete", "--max-deletions", "1000000"]
    first = xsync.run(*command, seconds=300)
    assert first.code == 0, first.lines[-1:]
    for top in ("top1", "top2", "top3", "top4"):
        shutil.rmtree(source / top)
    (source / "top1").write_bytes(b"a file now: it waits for the deletions")
    (source / "top0" / "changes").unlink()
    (source / "top0" / "changes").mkdir()
    killed_amid, most = 0, 0
    for _ in range(3):
        with ended(xsync.start(*command)) as process:
            snapshot = xsync.wait_for(has_deleted(most + 1, since=first.result["execution"]), seconds=120)
            if not snapshot.status.ended:
                with suppress(ProcessLookupError):
                    os.kill(snapshot.runner_pid, signal.SIGKILL)
            xsync.finish(process, 120)
        left = xsync.snapshot()
        assert left is not None
        if left.status.ended:
            break
        killed_amid += (target / "top4").exists()
        most = deleted(left)
    assert killed_amid, "it was never killed amid its deletions: make the source larger"
    done = xsync.run(*command, seconds=300)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert tree_of(target) == tree_of(source)
    files = done.result["files"]
    words = ("transferred", "skipped", "failed", "excluded", "pending")
    assert files["discovered"] == sum(files[word] for word in words)
    assert files["deleted"] <= 16_000  # what an agent deleted and could not report is not counted
