"""An interrupted execution is ended for good without a runner: what it copied counts, what it had open is given up."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from engine.catalog.state import read_state
from engine.execution.prepare import claim_destination
from engine.journal.reader import read_left_open, read_migration, read_segments, read_snapshot
from engine.model import Action, Kind, Snapshot, Status
from tests.faults.proxy import fault_proxy
from tests.support import SIZES, Xsync, ended, make_source, tree_of
from xsync_tui.cli.running import read_report
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.timeout(300)

Command = Sequence[str | os.PathLike[str]]

SLOW = ("--limit", "4MB/s")
IN_PARTS = ("--agents", "1", "--limit", "40MB/s")
"""So that a run is under way when it is killed."""

LARGE = 12 * (16 << 20)


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=500, sizes=SIZES)


def killed(xsync: Xsync, command: Command, *, files: int = 50) -> str:
    """Start a command and kill its runner when so much is there, or a part of a large file; returns the execution."""
    with ended(xsync.start(*command)) as process:
        in_parts = command[-1] == IN_PARTS[-1]
        snapshot = xsync.wait_for_parts() if in_parts else xsync.wait_for_files(files)
        assert not snapshot.status.ended
        with suppress(ProcessLookupError):
            os.kill(snapshot.runner_pid, signal.SIGKILL)
        assert xsync.finish(process).code == 5
    return snapshot.execution


def seen(xsync: Xsync, execution: str) -> Snapshot:
    return read_snapshot(xsync.home / "executions" / execution)


def temporaries(folder: Path) -> list[Path]:
    return list(folder.rglob(".xsync-*"))


def test_a_killed_run_between_folders_is_ended_and_what_it_copied_is_not_sent_again(
    xsync: Xsync, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    execution = killed(xsync, ["run", source, target, *SLOW])
    before = seen(xsync, execution).totals.files
    assert xsync.run("state", "export", tmp_path / "out", execution).code == 4
    temporary = target / "top0" / ".xsync-0123456789abcdef"  # as agents leave them where they are killed
    temporary.parent.mkdir(exist_ok=True)
    temporary.write_bytes(b"half")
    kept = {path: found for path, found in tree_of(target).items() if ".xsync-" not in path}
    done = xsync.run("cancel", execution)
    answer, result = done.lines
    assert (done.code, answer["verb"], answer["outcome"]) == (0, "cancel", "done")
    assert (result["status"], result["files"]["pending"]) == ("CANCELLED", before.pending)
    assert temporaries(target) == []
    assert {path: found[:2] for path, found in tree_of(target).items()} == {p: found[:2] for p, found in kept.items()}
    folder = xsync.home / "executions" / execution
    report = read_report(folder / "report.json")
    assert (report["status"], report["files"]["pending"]) == ("CANCELLED", before.pending)
    assert report["files"]["transferred"] == before.transferred
    assert not list(folder.glob("results-*")) + list(folder.glob("entries-*"))
    assert xsync.run("resume", execution).code == 2
    assert xsync.run("state", "export", tmp_path / "out", execution).code == 0
    again = xsync.run("run", source, target)
    assert again.result["execution"] != execution
    assert (again.result["files"]["skipped"], again.result["files"]["transferred"]) == (
        before.transferred,
        500 - before.transferred,
    )
    assert tree_of(target) == tree_of(source)


def test_a_drained_run_is_ended_and_has_to_be_named(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    with ended(xsync.start("run", source, tmp_path / "target", *SLOW)) as process:
        execution = xsync.wait_for_files(50).execution
        process.send_signal(signal.SIGINT)
        assert xsync.finish(process).code == 5
    interrupted = seen(xsync, execution)
    assert interrupted.status is Status.INTERRUPTED
    refused = xsync.run("cancel")
    assert (refused.code, execution in refused.message) == (2, True)
    assert xsync.run("cancel", execution).code == 0
    now = seen(xsync, execution)
    assert (now.status, now.totals, now.runner_alive) == (Status.CANCELLED, interrupted.totals, False)
    assert now.ended_at is not None and interrupted.ended_at is not None
    assert now.ended_at <= interrupted.ended_at  # the time that nothing ran is no time that it took
    repeated = xsync.run("cancel", execution)
    assert (repeated.code, repeated.lines[0]["outcome"]) == (0, "done")


def _bucket(endpoint_url: str, server: S3Server, bucket: str) -> list[str]:
    return [f"s3://{bucket}", "--endpoint-url", endpoint_url, "--region", server.region]


def _objects(boto: S3Client, bucket: str) -> dict[str, str]:
    return {found["Key"]: found["ETag"] for found in boto.list_objects_v2(Bucket=bucket).get("Contents", [])}


def test_open_uploads_are_discarded_and_completed_objects_stay(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = make_source(tmp_path / "source", files=20, large=(40 << 20, LARGE))
    execution = killed(xsync, ["run", source, *_bucket(s3.endpoint_url, s3, bucket), *IN_PARTS])
    folder = xsync.home / "executions" / execution
    boto.create_multipart_upload(Bucket=bucket, Key="of-somebody-else")
    assert read_left_open(folder)[0]
    objects = _objects(boto, bucket)
    assert xsync.run("cancel", execution).code == 0
    left = boto.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    assert [upload["Key"] for upload in left] == ["of-somebody-else"]
    assert objects.items() <= _objects(boto, bucket).items()  # the server may still finish what was on its way
    assert read_left_open(folder) == ([], {})
    assert not read_segments(folder, "entries") + read_segments(folder, "results")


def test_without_its_destination_it_ends_says_what_stays_and_can_be_repeated(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = make_source(tmp_path / "source", files=20, large=(LARGE,))
    with fault_proxy(s3.endpoint_url) as proxy:
        execution = killed(xsync, ["run", source, *_bucket(proxy.url, s3, bucket), *IN_PARTS])
        folder = xsync.home / "executions" / execution
        proxy.decide = lambda _: "reset"
        done = xsync.run("cancel", execution)
        assert done.code == 3
        assert done.lines[0]["outcome"].startswith("not all done: 1 upload may stay open")
        assert f"xsync cancel {execution}" in done.lines[0]["outcome"]
        assert seen(xsync, execution).status is Status.CANCELLED
        assert any("may stay open" in event.text for event in seen(xsync, execution).events if event.kind == "warning")
        assert len(read_left_open(folder)[0]) == 1
        assert not read_segments(folder, "results")
        assert xsync.run("cancel", execution).code == 3
        proxy.decide = lambda _: "pass"
        assert xsync.run("cancel", execution).code == 0
    assert "Uploads" not in boto.list_multipart_uploads(Bucket=bucket)
    assert (read_left_open(folder), list(folder.glob("entries-*"))) == (([], {}), [])


def test_without_the_folder_that_was_written_to_temporaries_are_swept_by_the_repeat(
    xsync: Xsync, source: Path, tmp_path: Path
) -> None:
    target, aside = tmp_path / "target", tmp_path / "aside"
    execution = killed(xsync, ["run", source, target, *SLOW])
    (target / ".xsync-0123456789abcdef").write_bytes(b"half")
    target.rename(aside)
    target.mkdir()  # as below a mount point that lost its mount
    done = xsync.run("cancel", execution)
    assert (done.code, "not what it was" in done.lines[0]["outcome"]) == (3, True)
    assert temporaries(aside)
    target.rmdir()
    aside.rename(target)
    assert xsync.run("cancel", execution).code == 0
    assert temporaries(target) == []


def test_nothing_is_ended_while_another_run_holds_the_destination(
    xsync: Xsync, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = killed(xsync, ["run", source, tmp_path / "target", *SLOW])
    monkeypatch.setenv("XSYNC_HOME", str(xsync.home))
    folder = xsync.home / "executions" / execution
    with claim_destination(read_migration(folder), "another"):
        before = seen(xsync, execution)
        refused = xsync.run("cancel", execution)
    assert (refused.code, "another" in refused.message) == (4, True)
    assert seen(xsync, execution) == before
    assert xsync.run("cancel", execution).code == 0


def test_what_has_ended_otherwise_is_not_cancelled(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    execution = killed(xsync, ["run", source, tmp_path / "target", *SLOW])
    newer = xsync.run("run", source, tmp_path / "target", "--exclude", "*.none").result["execution"]
    superseded = xsync.run("cancel", execution)
    assert (superseded.code, newer in superseded.message) == (4, True)
    refused = xsync.run("cancel", newer)
    assert (refused.code, "SUCCESS" in refused.message) == (2, True)


def test_what_another_run_deleted_since_is_no_fact_of_it(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for name, more in (("one", ""), ("two", '[filters]\nexclude = ["/nothing"]\n')):
        (tmp_path / f"{name}.toml").write_text(
            f'schema = 1\nname = "{name}"\n[source]\nurl = "file://{source}"\n'
            f'[destination]\nurl = "file://{target}"\n{more}'
        )
    execution = killed(xsync, ["run", tmp_path / "one.toml", *SLOW], files=100)
    folder = xsync.home / "executions" / execution
    files = [folder / segment.file for segment in read_segments(folder, "results")]
    copied = [row for file in files for row in pq.read_table(file).to_pylist() if row["action"] == Action.TRANSFERRED]
    lost = os.fsdecode(copied[0]["dir"] + b"/" + copied[0]["name"])
    (source / lost).unlink()
    assert xsync.run("run", tmp_path / "two.toml", "--delete").result["files"]["deleted"] == 1
    assert xsync.run("cancel", execution).code == 0
    (state,) = xsync.home.glob("state/*/state.json")
    known = [row for file in read_state(state.parent).names for row in pq.read_table(state.parent / file).to_pylist()]
    assert len({(row["dir"], row["name"]) for row in known if row["kind"] == Kind.FILE}) == 499
    assert Path(lost).name.encode() not in {row["name"] for row in known}


STEPS = ["set_runner", "write_files_parquet", "fold", "give_up", "end_upload", "write_report", "drop_segments"]


@pytest.mark.parametrize("step", [*STEPS, "_let_go"])
def test_killed_at_any_step_a_repeat_finishes_it(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client, step: str
) -> None:
    source = make_source(tmp_path / "source", files=20, large=(LARGE,))
    execution = killed(xsync, ["run", source, *_bucket(s3.endpoint_url, s3, bucket), *IN_PARTS])
    before = seen(xsync, execution).totals.files
    folder = xsync.home / "executions" / execution
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(_DIES.format(step=step))
    dying = Xsync(xsync.home, {"PYTHONPATH": f"{hook}:{os.environ.get('PYTHONPATH', '')}"})
    assert dying.run("cancel", execution).code == -signal.SIGKILL
    assert (seen(xsync, execution).status is Status.CANCELLED) == (step == "_let_go")
    done = xsync.run("cancel", execution)
    assert (done.code, done.result["status"]) == (0, "CANCELLED")
    assert done.result["files"]["transferred"] == before.transferred
    assert done.result["files"]["pending"] == before.pending
    assert "Uploads" not in boto.list_multipart_uploads(Bucket=bucket)
    assert read_left_open(folder) == ([], {})
    assert not list(folder.glob("results-*")) + list(folder.glob("entries-*"))
    if step in ("fold", "_let_go"):
        again = xsync.run("run", source, *_bucket(s3.endpoint_url, s3, bucket))
        assert (again.code, again.result["files"]["skipped"] >= before.transferred) == (0, True)


def test_killed_half_way_it_can_still_be_resumed(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    execution = killed(xsync, ["run", source, tmp_path / "target", *SLOW])
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(_DIES.format(step="drop_segments"))
    dying = Xsync(xsync.home, {"PYTHONPATH": f"{hook}:{os.environ.get('PYTHONPATH', '')}"})
    assert dying.run("cancel", execution).code == -signal.SIGKILL
    assert xsync.run("resume", execution).code == 0
    assert tree_of(tmp_path / "target") == tree_of(source)


_DIES = """
import os, signal, sys

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

class Ending:
    def find_spec(self, name, path=None, target=None):
        if name == "xsync_tui.cli.cancel":
            sys.meta_path.remove(self)
            import engine.execution.abandon as abandon
            from engine.journal.writer import Journal
            where = Journal if hasattr(Journal, {step!r}) else abandon
            setattr(where, {step!r}, die)
        return None

sys.meta_path.insert(0, Ending())
"""
"""The command is killed where it would begin ``step``; ``_let_go``: it has ended, and its segments are still there."""
