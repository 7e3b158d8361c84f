"""Kill runner, agents and command with SIGKILL at random moments: a resume ends with an identical destination.

Runs that are to be killed have a limit, so that they are under way for as long as it takes.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pyarrow.parquet as pq
import pytest

from engine.journal.reader import read_snapshot
from engine.model import Snapshot, Status
from tests.support import SIZES, SLOW, Finished, Started, Xsync, ended, make_source, tree_of
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.timeout(600)  # several runs a test

PART = 16 << 20


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def to_bucket(server: S3Server, bucket: str) -> list[str]:
    return [f"s3://{bucket}", "--endpoint-url", server.endpoint_url, "--region", server.region]


def kill_runner(xsync: Xsync, process: Started, snapshot: Snapshot) -> Snapshot:
    """Kill the runner in the middle of what it does; returns what it leaves when its command has ended, too."""
    assert snapshot.runner_alive, "it ended before it was to be killed: lower its limit"
    os.kill(snapshot.runner_pid, signal.SIGKILL)
    assert xsync.finish(process).code == 5
    return read_snapshot(xsync.folder())


def wait_for_more(xsync: Xsync, left: Snapshot | None) -> Snapshot:
    """Poll until a runner is there that has transferred more than the killed one before it, which ``left`` this."""
    pid, files = (left.runner_pid, left.totals.files.transferred) if left else (0, 0)
    return xsync.wait_for(lambda now: now.runner_pid != pid and now.totals.files.transferred > files)


def kill_agents(xsync: Xsync, times: int) -> None:
    """Kill an agent in the middle of its work, and another one when that is known, until so many are dead.

    Only one that is amid small files or does several things at once: what was in dead hands is tried alone, halved if
    that is many files, and given up with a third one.
    """
    for kill in range(times):
        snapshot = _wait_for_work(xsync, kill)
        below = psutil.Process(snapshot.runner_pid).children(recursive=True)
        alive = {one.name(): one for one in below if one.status() != psutil.STATUS_ZOMBIE}
        alive[f"xsync {_busy(snapshot)[kill % 2 - 1]}"].kill()
    xsync.wait_for(lambda now: _lost(now) == times)


def _wait_for_work(xsync: Xsync, dead: int) -> Snapshot:
    return xsync.wait_for(lambda now: bool(_busy(now)) and _lost(now) == dead)


def _busy(snapshot: Snapshot) -> list[str]:
    working = [agent for agent in snapshot.agents if agent.state == "working"]
    return sorted(agent.name for agent in working if agent.in_flight > 1 or "/file-" in agent.path)


def _lost(snapshot: Snapshot) -> int:
    return sum(event.kind == "agent-lost" for event in snapshot.events)


def adds_up(done: Finished) -> None:
    files = done.result["files"]
    assert files["discovered"] == sum(
        files[name] for name in ("transferred", "skipped", "failed", "excluded", "pending")
    )


def test_a_killed_runner_is_resumed_without_doing_files_again(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=800, sizes=SIZES, large=(40 << 20,))
    source_of_chance = random.Random(7)
    command = ["run", str(source), *to_bucket(s3, bucket), "--agents", "2"]
    left, again = None, [*command, *SLOW]
    for kill in range(5):
        with ended(xsync.start(*again)) as process:
            snapshot = wait_for_more(xsync, left)
            time.sleep(source_of_chance.uniform(0, 0.2))
            left = kill_runner(xsync, process, snapshot)
        again = [*command, *SLOW] if kill % 2 else ["resume", snapshot.execution]
    done = xsync.run(*command)
    assert done.code == 0, (done.errors, done.lines[-1:])
    adds_up(done)
    assert len(xsync.executions()) == 1
    assert verify(source, s3, bucket).differences == ()
    assert done.result["files"]["transferred"] == 801


def test_a_runner_that_crashes_says_where_and_a_run_goes_on(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_source(tmp_path / "source", files=300, sizes=SIZES), tmp_path / "target"
    with ended(xsync.start("run", source, target, *SLOW)) as process:
        os.kill(xsync.wait_for_files(1).runner_pid, signal.SIGSEGV)
        crashed = xsync.finish(process)
    assert crashed.code == 5
    assert "Fatal Python error: Segmentation fault" in crashed.errors
    assert "engine/execution/launch.py" in crashed.errors
    assert xsync.run("run", source, target).code == 0
    assert tree_of(target) == tree_of(source)


def test_agents_that_are_killed_are_replaced(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=2_000, sizes=SIZES, large=(40 << 20,))
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "3", *SLOW)) as process:
        kill_agents(xsync, 5)
        xsync.lift_limit()
        done = xsync.finish(process)
    assert done.code == 0, (done.errors, done.lines[-1:])
    adds_up(done)
    assert done.result["files"]["transferred"] == 2_001
    assert verify(source, s3, bucket).differences == ()


def test_a_file_rewritten_between_crash_and_resume_is_never_a_mix(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=10, large=(12 * PART,))
    command = ["run", str(source), *to_bucket(s3, bucket), "--agents", "1"]
    kill_with_parts_stored(xsync, command)
    victim = source / "large-0.bin"
    with open(victim, "r+b") as file:
        for place in range(0, 12 * PART, 1 << 20):
            file.seek(place)
            file.write(b"rewritten")
    done = xsync.run(*command)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert verify(source, s3, bucket).differences == ()


def test_parts_sent_before_a_crash_are_not_sent_again(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=1, large=(12 * PART,))
    command = ["run", str(source), *to_bucket(s3, bucket), "--agents", "1"]
    stored = kill_with_parts_stored(xsync, command)
    done = xsync.run(*command)
    assert done.code == 0, (done.errors, done.lines[-1:])
    sent = max(agent["bytes"] for line in done.lines for agent in line.get("agents", ()) if agent["state"] != "lost")
    assert sent < (12 - stored + 1) * PART
    assert verify(source, s3, bucket).differences == ()


def kill_with_parts_stored(xsync: Xsync, command: list[str]) -> int:
    """Kill the runner of a command amid a large file; returns how many parts of it are stored."""
    with ended(xsync.start(*command, "--limit", "40MB/s")) as process:
        kill_runner(xsync, process, xsync.wait_for_parts())
    return xsync.stored_parts()


def test_a_killed_run_between_folders_leaves_no_half_file(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=600, sizes=SIZES, large=(40 << 20,))
    target = tmp_path / "target"
    command = ["run", str(source), str(target), "--agents", "2"]
    left = None
    for _ in range(3):
        with ended(xsync.start(*command, *SLOW)) as process:
            left = kill_runner(xsync, process, wait_for_more(xsync, left))
        arrived = [path for path in target.rglob("*") if path.is_file() and not path.name.startswith(".xsync-")]
        assert left.totals.files.transferred <= len(arrived) < 600
        for path in arrived:
            assert path.read_bytes() == (source / path.relative_to(target)).read_bytes()
    done = xsync.run(*command)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert tree_of(target) == tree_of(source)


def test_temporaries_of_killed_agents_are_swept_away(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=300, sizes=SIZES, large=(40 << 20,))
    target = tmp_path / "target"
    with ended(xsync.start("run", source, target, "--agents", "2", *SLOW)) as process:
        kill_runner(xsync, process, xsync.wait_for_files(1))
    assert list(target.rglob(".xsync-*"))
    (target / "top0").mkdir(parents=True, exist_ok=True)
    (target / "top0" / ".xsync-0123456789abcdef").write_bytes(b"half")
    done = xsync.run("run", source, target)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert tree_of(target) == tree_of(source)


def test_a_killed_foreground_command_lets_its_runner_drain(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=500, sizes=SIZES)
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "2", *SLOW)) as process:
        xsync.wait_for_files(1)
        process.kill()
        snapshot = xsync.wait_for(lambda now: not now.runner_alive)
    assert snapshot.status is Status.INTERRUPTED
    assert snapshot.totals.files.pending > 0
    with ended(xsync.start("resume", snapshot.execution)) as process:
        xsync.lift_limit()
        assert xsync.finish(process).code == 0
    assert verify(source, s3, bucket).differences == ()


def test_sigterm_drains_and_a_run_goes_on(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=500, sizes=SIZES)
    command = ["run", str(source), *to_bucket(s3, bucket), "--agents", "2"]
    with ended(xsync.start(*command, *SLOW)) as process:
        xsync.wait_for_files(1)
        process.terminate()
        drained = xsync.finish(process)
    assert drained.code == 5
    assert drained.result["status"] == "INTERRUPTED"
    assert drained.result["files"]["pending"] > 0
    adds_up(drained)
    done = xsync.run(*command)
    assert done.code == 0
    assert done.result["execution"] == drained.result["execution"]
    audit = pq.read_table(xsync.folder() / "files.parquet").to_pylist()
    assert sum(row["kind"] == "file" for row in audit) == 500


def test_cancel_ends_for_good_and_leaves_no_upload(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    source = make_source(tmp_path / "source", files=300, sizes=SIZES, large=(40 << 20,))
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "2", *SLOW)) as process:
        xsync.wait_for_files(1)
        assert boto.list_multipart_uploads(Bucket=bucket).get("Uploads")
        assert xsync.run("cancel").code == 0
        cancelled = xsync.finish(process)
    assert cancelled.code == 5
    assert cancelled.result["status"] == "CANCELLED"
    adds_up(cancelled)
    assert not boto.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert xsync.run("resume", cancelled.result["execution"]).code == 2


def test_pause_stops_and_resume_goes_on(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=500, sizes=SIZES)
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "2", *SLOW)) as process:
        xsync.wait_for_files(1)
        assert xsync.run("pause").code == 0
        paused = xsync.wait_for(lambda now: now.status is Status.PAUSED)
        assert paused.totals.files.pending > 0
        assert xsync.run("resume").code == 0
        xsync.lift_limit()
        done = xsync.finish(process)
    assert done.code == 0
    assert done.result["files"]["transferred"] == 500


def test_agents_come_and_go_while_it_runs(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=500, sizes=SIZES)
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "1", *SLOW)) as process:
        xsync.wait_for_files(1)
        assert xsync.run("fleet", "add").code == 0
        xsync.wait_for(lambda now: any(a.name == "agent-2" and a.files > 0 for a in now.agents))
        assert xsync.run("fleet", "drain", "agent-1").code == 0
        xsync.wait_for(lambda now: any(a.name == "agent-1" and a.state == "gone" for a in now.agents))
        xsync.lift_limit()
        done = xsync.finish(process)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert verify(source, s3, bucket).differences == ()
