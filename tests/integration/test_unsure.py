"""Files that change without any time of theirs moving, just after they were read: the next run sees it."""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from engine import model
from engine.execution import uploads
from engine.execution.committer import Committer
from engine.execution.coordination.messages import BeginUpload, CompleteUpload, LargeFile, UploadReady
from engine.execution.ledger import Ledger
from engine.home import find_home, list_execution_folders
from engine.journal.records import Execution, this_runner
from engine.journal.records import Upload as OpenUpload
from engine.journal.writer import Journal
from engine.locations.base import PartResult
from engine.locations.posix import PosixLocation
from engine.model import LocationSpec, Migration, Status, Totals, TransferOptions
from tests.conftest import SpecMaker
from tests.in_process import run_in_process

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = 33 << 20
MIRROR = TransferOptions(
    preserve_deleted_files="REMOVE", max_deletion_share=1.0, verify_mode="POINT_IN_TIME_CONSISTENT"
)
SENT, COMPARED = ("transferred", None), ("skipped", "same content")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))


@pytest.fixture
def source() -> Iterator[Path]:
    """On tmpfs: there a mapped page that was changed once is changed again without any time moving."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@contextmanager
def mapped(path: Path, content: bytes) -> Iterator[mmap.mmap]:
    """Write a file, and map it; its times move with the first change here and with no other."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
        pages[:1] = content[:1]
        yield pages


def change(path: Path, pages: mmap.mmap) -> None:
    """Change the first byte unseen."""
    before = path.stat()
    pages[:1] = bytes([pages[0] ^ 1])
    after = path.stat()
    assert (before.st_ctime_ns, before.st_mtime_ns) == (after.st_ctime_ns, after.st_mtime_ns)


def run(
    source: Path | LocationSpec, destination: LocationSpec, options: TransferOptions
) -> dict[str, tuple[str, str | None]]:
    """Run to the end: what became of the files that were acted on (action, reason)."""
    place = LocationSpec(str(source)) if isinstance(source, Path) else source
    migration = Migration(place, destination, options=options)
    snapshot = asyncio.run(run_in_process(migration))
    assert snapshot.status is Status.SUCCESS, (snapshot.message, snapshot.failure_counts)
    files = snapshot.totals.files
    assert (files.pending, files.transferred + files.skipped) == (0, files.discovered)
    rows = pq.read_table(list_execution_folders(find_home())[-1] / "files.parquet").to_pylist()
    return {os.fsdecode(row["name"]): (row["action"], row["reason"]) for row in rows if row["kind"] == "file"}


def much_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every file was left alone for long before it is read."""
    monkeypatch.setattr(model, "UNSURE_NS", -(10**15))


@pytest.mark.parametrize("to_bucket", [True, False])
@pytest.mark.parametrize("size", [1_000, LARGE])
def test_what_changed_unseen_is_sent_by_the_next_run_and_the_rest_compared_once(
    source: Path,
    tmp_path: Path,
    boto: S3Client,
    bucket: str,
    s3_spec: SpecMaker,
    monkeypatch: pytest.MonkeyPatch,
    to_bucket: bool,
    size: int,
) -> None:
    destination = s3_spec(bucket) if to_bucket else LocationSpec(str(tmp_path / "there"))

    def stored(name: str) -> bytes:
        if to_bucket:
            return bytes(boto.get_object(Bucket=bucket, Key=name)["Body"].read())
        return (tmp_path / "there" / name).read_bytes()

    (source / "same").write_bytes(bytes(size))
    (source / "gone").write_bytes(b"deleted before the second run")
    with mapped(source / "file", os.urandom(size)) as pages:
        assert run(source, destination, MIRROR) == {"same": SENT, "gone": SENT, "file": SENT}
        change(source / "file", pages)
        (source / "gone").unlink()
        much_later(monkeypatch)
        second = run(source, destination, MIRROR)
        assert second == {"same": COMPARED, "gone": ("deleted", None), "file": SENT}
        told = json.loads((list_execution_folders(find_home())[-1] / "report.json").read_bytes())
        assert (told["skipped"], told["bytes"]["transferred"]) == ({"same content": 1}, size)
        assert stored("file") == (source / "file").read_bytes()
        assert run(source, destination, MIRROR) == {}


@pytest.mark.parametrize("size", [1_000, LARGE])
def test_all_names_of_a_file_that_changed_unseen_follow(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    there = tmp_path / "there"
    with mapped(source / "d" / "a", os.urandom(size)) as pages:
        os.link(source / "d" / "a", source / "z")
        for name in ("same-1", "same-2"):
            (source / "same").touch()
            os.link(source / "same", source / name)
        linked = ("transferred", "link")
        first = run(source, LocationSpec(str(there)), TransferOptions())
        assert first == {"a": SENT, "z": linked, "same": SENT, "same-1": linked, "same-2": linked}
        change(source / "d" / "a", pages)
        much_later(monkeypatch)
        second = run(source, LocationSpec(str(there)), TransferOptions())
        assert second == {"a": SENT, "z": linked, "same": COMPARED, "same-1": COMPARED, "same-2": COMPARED}
        assert (there / "z").read_bytes() == (source / "z").read_bytes()
        assert (there / "z").samefile(there / "d" / "a")
        assert run(source, LocationSpec(str(there)), TransferOptions()) == {}


def test_large_names_that_did_not_change_are_not_sent_again(source: Path, tmp_path: Path) -> None:
    (source / "a").write_bytes(os.urandom(LARGE))
    os.link(source / "a", source / "b")
    there = LocationSpec(str(tmp_path / "there"))
    assert run(source, there, TransferOptions()) == {"a": SENT, "b": ("transferred", "link")}
    assert run(source, there, TransferOptions()) == {"a": COMPARED, "b": COMPARED}


def test_objects_are_told_apart_by_version(tmp_path: Path, boto: S3Client, bucket: str, s3_spec: SpecMaker) -> None:
    for name, size in (("small", 10), ("large", LARGE)):
        boto.put_object(Bucket=bucket, Key=name, Body=os.urandom(size))
    there = LocationSpec(str(tmp_path / "there"))
    assert run(s3_spec(bucket), there, TransferOptions()) == {"small": SENT, "large": SENT}
    assert run(s3_spec(bucket), there, TransferOptions()) == {}


def test_what_is_never_replaced_is_not_compared(source: Path, tmp_path: Path) -> None:
    (source / "file").write_bytes(b"content")
    never = TransferOptions(overwrite_mode="NEVER")
    assert run(source, LocationSpec(str(tmp_path / "there")), never) == {"file": SENT}
    assert run(source, LocationSpec(str(tmp_path / "there")), never) == {}


@pytest.mark.parametrize(("opened_later", "unsure"), [(0.0, True), (120.0, False)])
def test_an_upload_that_is_resumed_is_as_sure_as_when_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened_later: float, unsure: bool
) -> None:
    content = os.urandom(1_000)
    for name in ("source", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "source" / "file").write_bytes(content)
    source, there = (PosixLocation(LocationSpec(str(tmp_path / name))) for name in ("source", "there"))
    file = source.open_file(b"file")
    file.close()
    upload = there.begin(b"file", len(content), {}, {})
    fd = there.open_temporary(b"file", upload)
    os.pwrite(fd, content, 0)
    os.close(fd)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 600)
    execution = Execution("x", Migration(LocationSpec("/a"), LocationSpec("/b")), "", "", 1.0)
    Journal.create(tmp_path / "x", execution, this_runner()).close()
    large = LargeFile(b"file", 0, len(content), {"dir": b"", "name": b"file", "task": 0})
    known = OpenUpload(1, b"file", upload, file.identity, 1 << 20, now + opened_later)

    async def scenario() -> Any:
        committer = Committer(tmp_path / "x")
        await committer.open()
        committer.ledger = Ledger([Totals()])
        resumed = uploads.Uploads(
            source, source.identity(), there, TransferOptions(), [known], committer, server_checks="crc64nvme"
        )
        ready = await resumed.begin(BeginUpload(large))
        assert isinstance(ready, UploadReady)
        part = PartResult(1, len(content), 7, "")
        await resumed.complete(CompleteUpload(large, upload, ready.identity, [part]))
        await committer.commit()
        segments = await committer.call(lambda journal: journal.segments("results"))
        await committer.close()
        return pq.read_table(tmp_path / "x" / segments[0].file).to_pylist()

    assert [(row["action"], row["unsure"]) for row in asyncio.run(scenario())] == [(1, unsure)]
