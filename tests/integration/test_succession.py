"""An interrupted execution: what only changes its speed goes on with it, anything else takes its place, and says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.execution.earlier import Left
from engine.execution.launch import RunRequest, begin, create
from engine.execution.listed_before import ListedBefore, words
from engine.journal.reader import SnapshotReader, read_left_open, read_migration, read_segments, read_snapshot
from engine.journal.writer import Journal
from engine.model import Limit, Snapshot, Status
from tests.support import SIZES, Finished, Xsync, ended, make_source, tree_of
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

pytestmark = pytest.mark.timeout(300)

Command = list[str | os.PathLike[str]]

SLOW = ("--limit", "4MB/s")
"""So that a run is under way when it is killed."""

PART = 16 << 20


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=500, sizes=SIZES)


def interrupted(xsync: Xsync, command: Sequence[str | os.PathLike[str]], files: int = 50) -> str:
    """Start a command and kill its runner when so many files are there; returns the execution."""
    with ended(xsync.start(*command)) as process:
        snapshot = xsync.wait_for_files(files)
        assert not snapshot.status.ended
        _kill(snapshot)
        assert xsync.finish(process).code == 5
    return snapshot.execution


def killed_amid_parts(xsync: Xsync, command: Sequence[str | os.PathLike[str]]) -> int:
    """Start a command and kill its runner amid a large file; returns how many parts of it are stored."""
    with ended(xsync.start(*command, "--limit", "40MB/s")) as process:
        _kill(xsync.wait_for_parts())
        assert xsync.finish(process).code == 5
    return xsync.stored_parts()


def _kill(snapshot: Snapshot) -> None:
    with suppress(ProcessLookupError):
        os.kill(snapshot.runner_pid, signal.SIGKILL)


def started(done: Finished) -> dict[str, Any]:
    return next(line for line in done.lines if line.get("type") == "started")


def seen(xsync: Xsync, execution: str) -> Snapshot:
    return read_snapshot(xsync.home / "executions" / execution)


def told(xsync: Xsync, *arguments: str | os.PathLike[str]) -> str:
    """What a command prints for a person, on stdout and stderr."""
    command = [sys.executable, "-m", "xsync_tui", *map(str, arguments)]
    env = os.environ | {"XSYNC_HOME": str(xsync.home), "COLUMNS": "200"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def test_another_limit_and_number_of_agents_go_on_with_it_and_a_later_resume_keeps_them(
    xsync: Xsync, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    first = interrupted(xsync, ["run", source, target, "--agents", "1", *SLOW])
    folder = xsync.home / "executions" / first
    with Journal.open(folder) as journal:  # as somebody chose it while it ran
        journal.set_limit(Limit(1e6, None, chosen=True))
    again: Command = ["run", source, target, "--agents", "3", "--limit", "5MB/s"]
    assert interrupted(xsync, again, seen(xsync, first).totals.files.transferred + 50) == first
    assert read_migration(folder).agents == 3
    with SnapshotReader(folder) as reader:  # for what is told of the past
        assert [each.bytes_per_second for each in reader.earlier_agreements()] == [4_000_000]
    assert seen(xsync, first).limit_bytes_per_second == 5e6
    said = told(xsync, "run", source, target, "--agents", "2", "--limit", "none")
    assert f"Continues {first}, which was interrupted, now with no limit and 2 agents" in said
    assert xsync.executions() == [first]
    assert tree_of(target) == tree_of(source)
    assert read_migration(folder).options.bytes_per_second == -1


def test_what_goes_on_says_when_the_source_was_listed_and_leaves_later_changes_to_the_next_run(
    xsync: Xsync, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    with ended(xsync.start("run", source, target, "--agents", "1", *SLOW)):
        _kill(xsync.wait_for(lambda now: now.totals.listing_complete and now.totals.files.transferred > 50))
    [execution] = xsync.executions()
    (source / "made later").write_bytes(b"new")
    done = xsync.run("run", source, target)
    listed = done.result["listed_before"]
    assert (done.code, done.result["execution"], listed["complete"]) == (0, execution, True)
    snapshot = seen(xsync, execution)
    assert snapshot.started_at == listed["began_at"] <= listed["ended_at"] < snapshot.ended_at
    assert started(done)["listed_before"] == listed
    assert "what changed there since is for the next run" in told(xsync, "status", execution)
    report = (xsync.home / "executions" / execution / "report.html").read_text()
    assert "what changed there since then is for the next run" in report
    assert not (target / "made later").exists()
    again = xsync.run("run", source, target)
    assert (again.code, again.result["listed_before"], (target / "made later").read_bytes()) == (0, None, b"new")


def test_what_a_person_is_told_of_folders_that_are_not_listed_again() -> None:
    day = 1_700_000_000.0
    whole, part = ListedBefore(day, day + 600, True), ListedBefore(day, day + 86_400, False)
    assert words(whole).startswith("the source was listed 2023-11-14 22:13 - 22:23 UTC, and is not again")
    assert words(part).startswith("folders listed 2023-11-14 22:13 - 2023-11-15 22:13 UTC are not listed again")


def test_what_is_new_is_in_json_and_a_resume_uses_it(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    first = interrupted(xsync, ["run", source, tmp_path / "target", "--agents", "1", *SLOW])
    with ended(xsync.start("run", source, tmp_path / "target", "--agents", "2", *SLOW)) as process:
        snapshot = xsync.wait_for(lambda now: now.runner_alive and len(now.agents) > 1)
        _kill(snapshot)
        said = started(xsync.finish(process))
    assert (said["execution"], said["continued"], said["changed"]) == (first, True, ["agents"])
    assert xsync.run("resume", first).code == 0
    assert {agent.name for agent in seen(xsync, first).agents} == {"agent-1", "agent-2"}


def test_other_filters_take_its_place_and_both_say_so(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    older = interrupted(xsync, ["run", source, target, *SLOW])
    sent = seen(xsync, older).totals.files.transferred
    done = xsync.run("run", source, target, "--exclude", "/top4")
    assert done.code == 0
    newer = done.result["execution"]
    said = started(done)
    left = {"execution": older, "differs": ["filters.exclude"], "superseded": True, "profile": None}
    assert (said["execution"], said["continued"], said["not_continued"]) == (newer, False, [left])

    before = seen(xsync, older)
    assert (before.status, before.superseded_by) == (Status.SUPERSEDED, newer)
    assert seen(xsync, newer).supersedes == (older,)
    assert done.result["files"]["skipped"] >= sent - 100  # what it had copied, but for a fifth that is excluded now
    refused = xsync.run("resume", older)
    assert (refused.code, newer in refused.message) == (4, True)
    assert xsync.run("retry", older).code == 2
    assert f"superseded by {newer}" in xsync.run("report", older).message
    assert told(xsync, "report", older, "--format", "csv").count(",transferred,") == sent
    for name in ("status", "attach"):
        shown = told(xsync, name, older)
        assert f"uperseded by {newer}" in shown
        assert "RUNNER GONE" not in shown
        assert "files left" not in shown
    assert xsync.run("status").lines[0]["execution"] == newer

    assert (xsync.home / "executions" / older / "files.parquet").exists()
    assert not read_segments(xsync.home / "executions" / older, "results")
    assert xsync.run("state", "export", tmp_path / "state.tar.zst", newer).code == 0
    excluded = len([path for path in tree_of(source) if path.startswith("top4/")])
    last = xsync.run("run", source, target).result["files"]
    assert last["transferred"] <= excluded < last["skipped"]  # the older one may have copied some of it
    assert without_temporaries(target) == tree_of(source)
    assert any("xsync cleanup" in event.text for event in seen(xsync, newer).events if event.kind == "warning")


def test_what_killed_agents_left_goes_with_the_run_after_one_that_was_cancelled(
    xsync: Xsync, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    interrupted(xsync, ["run", source, target, *SLOW])
    left = target / "top0" / ".xsync-0123456789abcdef"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half")
    with ended(xsync.start("run", source, target, "--exclude", "*.none", *SLOW)) as process:
        cancels = xsync.wait_for(lambda now: now.runner_alive and now.status is Status.TRANSFERRING)
        assert xsync.run("cancel", cancels.execution).code == 0
        assert xsync.finish(process).result["status"] == "CANCELLED"
    assert left.exists()
    assert xsync.run("run", source, target).code == 0
    assert tree_of(target) == tree_of(source)


def without_temporaries(folder: Path) -> dict[str, tuple[object, ...]]:
    """What killed agents left in folders that are excluded since is told, and stays."""
    return {path: found for path, found in tree_of(folder).items() if "/.xsync-" not in path}


def test_a_final_delta_takes_the_place_of_any_run_before_it(
    xsync: Xsync, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = interrupted(xsync, ["run", source, tmp_path / "target", *SLOW])
    monkeypatch.setenv("XSYNC_HOME", str(xsync.home))
    same = read_migration(xsync.home / "executions" / older)
    launched = begin(create(RunRequest(same)), detached=True)
    assert launched.process.wait(60) == 0
    assert launched.left == (Left(older, (), True),)
    assert seen(xsync, older).superseded_by == launched.execution


def test_its_open_upload_is_used_where_only_filters_differ(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=1, large=(12 * PART,))
    command: Command = ["run", source, *_bucket(s3, bucket), "--agents", "1"]
    stored = killed_amid_parts(xsync, command)
    older = xsync.executions()[-1]
    assert read_left_open(xsync.home / "executions" / older)[0]
    done = xsync.run(*command, "--exclude", "*.none")
    assert done.code == 0
    assert (
        max(a["bytes"] for line in done.lines for a in line.get("agents", ()) if a["state"] != "lost")
        < (12 - stored + 1) * PART
    )
    assert verify(source, s3, bucket).differences == ()
    assert xsync.run("cleanup", *_bucket(s3, bucket)).lines[0]["leftovers"] == []
    assert read_left_open(xsync.home / "executions" / older) == ([], {})


def test_its_open_upload_is_discarded_where_it_would_be_another_object(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=1, large=(12 * PART,))
    command: Command = ["run", source, *_bucket(s3, bucket), "--agents", "1"]
    killed_amid_parts(xsync, command)
    done = xsync.run(*command, "--exclude", "large-*", "--storage-class", "STANDARD_IA")
    assert done.code == 0
    assert started(done)["not_continued"][0]["differs"] == ["destination.storage_class", "filters.exclude"]
    assert xsync.run("cleanup", *_bucket(s3, bucket)).lines[0]["leftovers"] == []


def test_cleanup_finds_its_uploads_while_the_newer_one_is_interrupted_too(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=500, sizes=SIZES, large=(40 << 20,))
    command: Command = ["run", source, *_bucket(s3, bucket), "--agents", "1"]
    with ended(xsync.start(*command, *SLOW)) as process:
        _kill(xsync.wait_for(lambda now: bool(read_left_open(xsync.folder())[0])))
        assert xsync.finish(process).code == 5
    newer = interrupted(xsync, [*command, "--exclude", "large-*", *SLOW])
    (found,) = xsync.run("cleanup", *_bucket(s3, bucket)).lines[0]["leftovers"]
    assert (found["ours"], found["execution"], found["resumable"]) == ("journal", newer, True)
    assert xsync.run("state", "export", tmp_path / "out", newer).code == 4
    assert xsync.run("resume").result["execution"] == newer
    assert xsync.run("cleanup", *_bucket(s3, bucket)).lines[0]["leftovers"] == []
    assert xsync.run("state", "export", tmp_path / "out", newer).code == 0


def _bucket(server: S3Server, bucket: str) -> list[str]:
    return [f"s3://{bucket}", "--endpoint-url", server.endpoint_url, "--region", server.region]


def killed_at(xsync: Xsync, step: str, command: Command, tmp_path: Path) -> Finished:
    """Run a command whose runner is killed where it would begin ``step``."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(_DIES.format(step=step))
    return Xsync(xsync.home, {"PYTHONPATH": f"{hook}:{os.environ.get('PYTHONPATH', '')}"}).run(*command)


@pytest.mark.parametrize("step", ["begin", "supersede"])
def test_killed_before_it_has_taken_the_place_nothing_has_changed(
    xsync: Xsync, source: Path, tmp_path: Path, step: str
) -> None:
    older = interrupted(xsync, ["run", source, tmp_path / "target", *SLOW])
    assert killed_at(xsync, step, ["run", source, tmp_path / "target", "--exclude", "*.none"], tmp_path).code == 1
    assert xsync.executions() == [older]
    assert seen(xsync, older).superseded_by == ""
    assert xsync.run("resume", older).code == 0


def test_with_its_command_killed_too_both_can_be_gone_on_with(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    older = interrupted(xsync, ["run", source, tmp_path / "target", *SLOW])
    command: Command = ["run", source, tmp_path / "target", "--exclude", "*.none"]
    assert killed_at(xsync, "begin with its parent", command, tmp_path).code == -signal.SIGKILL
    (newer,) = set(xsync.executions()) - {older}
    assert (seen(xsync, older).superseded_by, seen(xsync, newer).totals.files.discovered) == ("", 0)
    done = xsync.run(*command)
    assert (done.code, done.result["execution"], started(done)["continued"]) == (0, newer, True)
    assert seen(xsync, older).superseded_by == newer


@pytest.mark.parametrize("step", ["take_uploads", "forget_uploads", "compact", "settle"])
def test_killed_between_any_two_steps_it_says_the_truth_and_goes_on(
    xsync: Xsync, source: Path, tmp_path: Path, step: str
) -> None:
    target = tmp_path / "target"
    older = interrupted(xsync, ["run", source, target, *SLOW])
    command: Command = ["run", source, target, "--exclude", "*.none"]
    assert killed_at(xsync, step, command, tmp_path).code != 0
    (newer,) = set(xsync.executions()) - {older}
    assert not seen(xsync, newer).status.ended
    assert seen(xsync, older).superseded_by == newer
    assert xsync.run("resume", older).code == 4
    done = xsync.run(*command)
    assert (done.code, done.result["execution"]) == (0, newer)
    files = done.result["files"]
    assert (files["transferred"] + files["skipped"], files["pending"]) == (500, 0)
    assert tree_of(target) == tree_of(source)
    for each in (older, newer):
        assert not read_segments(xsync.home / "executions" / each, "results")
    assert xsync.run("state", "export", tmp_path / "out", newer).code == 0


@pytest.mark.parametrize("step", ["take_uploads", "forget_uploads"])
def test_what_was_to_be_taken_over_is_given_up_with_the_newer_one(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, step: str
) -> None:
    source = make_source(tmp_path / "source", files=300, large=(12 * PART,))
    command: Command = ["run", source, *_bucket(s3, bucket), "--agents", "1"]
    killed_amid_parts(xsync, command)
    older = xsync.executions()[-1]
    sent = seen(xsync, older).totals.files.transferred
    assert killed_at(xsync, step, [*command, "--exclude", "*.none"], tmp_path).code != 0
    (newer,) = set(xsync.executions()) - {older}
    assert seen(xsync, older).superseded_by == newer
    assert xsync.run("cancel", newer).code == 0
    assert xsync.run("cleanup", *_bucket(s3, bucket)).lines[0]["leftovers"] == []
    for each in (older, newer):
        folder = xsync.home / "executions" / each
        assert (read_left_open(folder), read_segments(folder, "results")) == (([], {}), [])
    again = xsync.run("run", source, *_bucket(s3, bucket))
    assert (again.code, again.result["files"]["skipped"] >= sent) == (0, True)


_DIES = """
import os, signal, sys

def die(*_, **__):
    if {step!r} == "begin with its parent":
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)

class Runner:
    def find_spec(self, name, path=None, target=None):
        if name == "engine.execution.main":
            sys.meta_path.remove(self)
            import engine.execution.ending as ending
            import engine.execution.succession as succession
            import engine.journal.succession as journal
            import engine.locks as locks
            where = {{"begin": (locks, "runner_lock"), "compact": (succession, "compact")}}
            where["settle"] = ending, "settle"
            setattr(*where.get({step!r}.removesuffix(" with its parent"), (journal.Succession, {step!r})), die)
        return None

sys.meta_path.insert(0, Runner())
"""
"""In the runner alone: it is killed where it would begin ``step``."""
