"""``xsync retry``: only what failed, nothing else looked at or counted; and runs that filter by age and size."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support import SIZES, SLOW, Xsync, ended, make_source, tree_of
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

FILES = ("discovered", "transferred", "skipped", "failed", "excluded", "pending")


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    """Without the right of root to read everything."""
    wrapper = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    return Xsync(tmp_path / "home", wrapper=wrapper)


def ledger(files: dict[str, int]) -> tuple[int, ...]:
    return tuple(files[word] for word in FILES)


def make_unreadable(source: Path) -> list[Path]:
    """Two files, one whose name is no text, and a folder that cannot be read; two temporary files to leave out."""
    odd = Path(os.fsdecode(bytes(source) + b"/top0/sub0/odd\xff\n"))
    odd.write_bytes(b"odd")
    (source / "top1" / "scratch.tmp").write_bytes(b"x")
    (source / "top2" / "sub2" / "scratch.tmp").write_bytes(b"x")
    hidden = [source / "top0" / "sub0" / "file-000000.dat", odd, source / "top2"]
    for path in hidden:
        path.chmod(0)
    return hidden


def readable(paths: list[Path]) -> None:
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_retry_covers_what_failed_and_nothing_else(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=200)
    hidden = make_unreadable(source)
    place = [f"s3://{bucket}/data", "--endpoint-url", s3.endpoint_url, "--region", s3.region, "--exclude", "*.tmp"]
    first = xsync.run("run", source, *place)
    assert first.code == 3
    assert first.result["failures"] == {"unreadable": 2, "folder not listed": 1}

    again = xsync.run("retry")
    assert again.code == 3
    assert ledger(again.result["files"]) == (2, 0, 0, 2, 0, 0)
    assert again.lines[0] == {"type": "retry", "of": first.result["execution"], "files": 2, "folders": 1}

    readable(hidden)
    (source / "top1" / "new.txt").write_bytes(b"appeared meanwhile: none of a retry's business")
    done = xsync.run("retry", again.result["execution"])
    assert done.code == 0, done.errors
    assert ledger(done.result["files"]) == (43, 42, 0, 0, 1, 0)
    (source / "top1" / "new.txt").unlink()
    for scratch in source.rglob("*.tmp"):
        scratch.unlink()
    differing = {difference.name for difference in verify(source, s3, bucket, "data").differences}
    differing = {name for name in differing if ".xsync-" not in name and "odd" not in name}
    assert not differing  # the verifier knows nothing of escaped names, nor of side objects
    assert xsync.run("run", source, *place).result["files"]["transferred"] == 0


def test_a_retry_leaves_folders_as_the_source_has_them(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_source(tmp_path / "source", files=40), tmp_path / "target"
    lost = source / "top1" / "sub1" / "file-000001.dat"
    lost.chmod(0)
    os.utime(source / "top1" / "sub1", ns=(10**18, 10**18))
    assert xsync.run("run", source, target).code == 3
    lost.chmod(0o644)
    assert xsync.run("retry").code == 0
    assert tree_of(target) == tree_of(source)


def test_files_that_are_gone_are_said_to_be(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_source(tmp_path / "source", files=10), tmp_path / "target"
    lost = source / "top1" / "sub1" / "file-000001.dat"
    lost.chmod(0)
    assert xsync.run("run", source, target).code == 3
    lost.unlink()
    done = xsync.run("retry")
    assert done.code == 0
    assert ledger(done.result["files"]) == (0, 0, 0, 0, 0, 0)


def test_nothing_failed_is_nothing_to_retry(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=10)
    first = xsync.run("run", source, tmp_path / "target")
    done = xsync.run("retry")
    assert done.code == 0
    assert done.result["retry"] == {"of": first.result["execution"], "files": 0, "folders": 0}
    assert len(xsync.executions()) == 1


def test_another_source_under_the_same_name_is_refused(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=10)
    (source / "top1" / "sub1" / "file-000001.dat").chmod(0)
    assert xsync.run("run", source, tmp_path / "target").code == 3
    source.rename(tmp_path / "unmounted")
    source.mkdir()
    refused = xsync.run("retry")
    assert refused.code == 4
    assert "source is not what" in refused.message
    assert len(xsync.executions()) == 1


def test_an_execution_with_work_left_is_resumed_instead(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=300, sizes=SIZES)
    process = xsync.start("run", source, tmp_path / "target", "--agents", "1", *SLOW)
    xsync.wait_for_files(1)
    process.terminate()
    assert xsync.finish(process).code == 5
    refused = xsync.run("retry")
    assert refused.code == 2
    assert "xsync resume" in refused.message


def test_a_retry_that_is_interrupted_goes_on(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_source(tmp_path / "source", files=400, sizes=SIZES), tmp_path / "target"
    hidden = [path for path in source.rglob("*") if path.is_file()]
    for path in hidden:
        path.chmod(0)
    (source / "top0" / "readable").write_bytes(b"x")
    assert ledger(xsync.run("run", source, target, "--agents", "2", *SLOW).result["files"]) == (401, 1, 0, 400, 0, 0)
    (first,) = xsync.executions()
    readable(hidden)
    process = xsync.start("retry")
    xsync.wait_for(lambda now: now.execution != first and now.totals.files.transferred > 0)
    process.terminate()
    assert xsync.finish(process).code == 5
    with ended(xsync.start("resume")) as process:
        xsync.lift_limit()
        assert xsync.finish(process).code == 0
    assert tree_of(target) == tree_of(source)
    assert len(xsync.executions()) == 2
    snapshot = xsync.snapshot()
    assert snapshot is not None
    assert (snapshot.totals.files.discovered, snapshot.totals.files.transferred) == (400, 400)


def test_ages_and_sizes_leave_files_out_and_count_them(xsync: Xsync, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name, size, age in (("old", 100, 7_200), ("young", 100, 0), ("large", 5_000, 7_200), ("tiny", 1, 7_200)):
        (source / name).write_bytes(b"x" * size)
        os.utime(source / name, (time.time() - age,) * 2)
    limits = ["--min-age", "1h", "--min-size", "2", "--max-size", "4kB"]
    done = xsync.run("run", source, target, *limits)
    assert done.code == 0, done.errors
    assert ledger(done.result["files"]) == (4, 1, 0, 0, 3, 0)
    assert [path.name for path in target.iterdir()] == ["old"]
    os.utime(source / "young", (time.time() - 7_200,) * 2)
    again = xsync.run("run", source, target, *limits)
    assert ledger(again.result["files"]) == (4, 1, 1, 0, 2, 0)
    names = set(pq.read_table(xsync.folder() / "files.parquet")["name"].to_pylist())
    assert b"young" in names
