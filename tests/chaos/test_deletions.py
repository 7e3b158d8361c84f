"""Kill runner and agents with SIGKILL in the middle of deletions: a resume ends with the identical destination."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from engine.model import Snapshot
from tests.support import Xsync, ended, make_source, tree_of


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def some_left(folders: Iterable[Path]) -> list[Path]:
    """Every fiftieth of what is in the folders."""
    return [path for folder in folders for path in sorted(folder.rglob("*"))[::50]]


def has_deleted_some(of: Sequence[Path], *, since: str) -> Callable[[Snapshot], bool]:
    """Whether an execution after ``since`` is deleting, as the folder itself shows at once, or has ended."""
    return lambda now: (
        now.execution != since and (now.status.ended or (now.runner_alive and not all(path.exists() for path in of)))
    )


@pytest.mark.timeout(600)
def test_a_runner_that_is_killed_while_it_deletes(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_source(tmp_path / "source", files=20_000, sizes=(0, 1, 100)), tmp_path / "target"
    (source / "top0" / "changes").write_bytes(b"a file")
    command = ["run", str(source), str(target), "--delete", "--max-deletions", "1000000"]
    first = xsync.run(*command, seconds=300)
    assert first.code == 0, first.lines[-1:]
    tops = ("top1", "top2", "top3", "top4")
    for top in tops:
        shutil.rmtree(source / top)
    (source / "top1").write_bytes(b"a file now: it waits for the deletions")
    (source / "top0" / "changes").unlink()
    (source / "top0" / "changes").mkdir()
    killed_amid = 0
    for _ in range(3):
        before = some_left(target / top for top in tops)
        with ended(xsync.start(*command)) as process:
            snapshot = xsync.wait_for(has_deleted_some(before, since=first.result["execution"]), seconds=120)
            if not snapshot.status.ended:
                with suppress(ProcessLookupError):
                    os.kill(snapshot.runner_pid, signal.SIGKILL)
            xsync.finish(process, 120)
        left = xsync.snapshot()
        assert left is not None
        if left.status.ended:
            break
        killed_amid += any(path.exists() for path in before)
    assert killed_amid, "it was never killed amid its deletions: make the source larger"
    done = xsync.run(*command, seconds=300)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert tree_of(target) == tree_of(source)
    files = done.result["files"]
    words = ("transferred", "skipped", "failed", "excluded", "pending")
    assert files["discovered"] == sum(files[word] for word in words)
    assert files["deleted"] <= 16_000  # what an agent deleted and could not report is not counted
