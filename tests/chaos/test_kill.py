"""Kill runner, agents and command with SIGKILL at random moments: a resume ends with an identical destination."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from engine.model import Snapshot, Status
from tests.support import Finished, Xsync, ended, make_source, tree_of
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

pytestmark = pytest.mark.timeout(600)  # several runs a test


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def to_bucket(server: S3Server, bucket: str) -> list[str]:
    return [f"s3://{bucket}", "--endpoint-url", server.endpoint_url, "--region", server.region]


def kill_runner(snapshot: Snapshot) -> None:
    """Kill the runner; no harm if it has ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(snapshot.runner_pid, signal.SIGKILL)


def agents_of(snapshot: Snapshot) -> list[psutil.Process]:
    """Agent processes; none if the runner has ended."""
    with suppress(psutil.Error):
        below = psutil.Process(snapshot.runner_pid).children(recursive=True)
        return [one for one in below if one.name().startswith("xsync agent-")]
    return []


def adds_up(done: Finished) -> None:
    files = done.result["files"]
    assert files["discovered"] == sum(
        files[name] for name in ("transferred", "skipped", "failed", "excluded", "pending")
    )


def test_a_killed_runner_is_resumed_without_doing_files_again(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=6_000, large=(200 << 20,))
    source_of_chance = random.Random(7)
    command = ["run", str(source), *to_bucket(s3, bucket), "--agents", "2"]
    process = xsync.start(*command)
    for kill in range(5):
        with ended(process):
            snapshot = xsync.wait_for_files(1 + 400 * kill)
            time.sleep(source_of_chance.uniform(0, 0.2))
            kill_runner(snapshot)
            done = xsync.finish(process)
            if done.code == 0:
                break
        process = xsync.start("resume", xsync.executions()[-1]) if kill % 2 else xsync.start(*command)
    with ended(process):
        done = xsync.finish(process) if process.poll() is None else done
    assert done.code == 0, (done.errors, done.lines[-1:])
    adds_up(done)
    assert len(xsync.executions()) == 1
    assert verify(source, s3, bucket).differences == ()
    assert done.result["files"]["transferred"] == 6_001


def test_agents_that_are_killed_are_replaced(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=5_000, large=(150 << 20,))
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "3")) as process:
        for kill in range(5):
            snapshot = xsync.wait_for_files(1 + 500 * kill)
            if snapshot.status.ended:
                break
            for agent in agents_of(snapshot)[kill % 3 :][:1]:
                with suppress(psutil.Error):
                    agent.kill()
        done = xsync.finish(process)
    assert done.code == 0, (done.errors, done.lines[-1:])
    adds_up(done)
    assert done.result["files"]["transferred"] == 5_001
    assert verify(source, s3, bucket).differences == ()
    final = xsync.snapshot()
    assert final is not None
    assert any(event.kind == "agent-lost" for event in final.events)


def test_a_file_rewritten_between_crash_and_resume_is_never_a_mix(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=10, large=(600 << 20,))
    command = ["run", str(source), *to_bucket(s3, bucket), "--agents", "1"]
    with ended(xsync.start(*command)) as process:
        snapshot = xsync.wait_for_bytes(100 << 20)
        kill_runner(snapshot)
        xsync.finish(process)
    victim = source / "large-0.bin"
    with open(victim, "r+b") as file:
        for place in range(0, 600 << 20, 1 << 20):
            file.seek(place)
            file.write(b"rewritten")
    done = xsync.run(*command)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert verify(source, s3, bucket).differences == ()


def test_parts_sent_before_a_crash_are_not_sent_again(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=1, large=(600 << 20,))
    command = ["run", str(source), *to_bucket(s3, bucket), "--agents", "1"]
    with ended(xsync.start(*command)) as process:
        snapshot = xsync.wait_for_bytes(300 << 20)
        kill_runner(snapshot)
        xsync.finish(process)
    done = xsync.run(*command)
    assert done.code == 0, (done.errors, done.lines[-1:])
    sent = max(agent["bytes"] for line in done.lines for agent in line.get("agents", ()) if agent["state"] != "lost")
    assert sent < 500 << 20
    assert verify(source, s3, bucket).differences == ()


def test_a_killed_run_between_folders_leaves_no_half_file(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=4_000, large=(300 << 20,))
    target = tmp_path / "target"
    command = ["run", str(source), str(target), "--agents", "2"]
    for kill in range(3):
        with ended(xsync.start(*command)) as process:
            snapshot = xsync.wait_for_files(1 + 600 * kill)
            kill_runner(snapshot)
            xsync.finish(process)
        for path in target.rglob("*"):
            twin = source / path.relative_to(target)
            if path.is_file() and not path.name.startswith(".xsync-"):
                assert path.read_bytes() == twin.read_bytes()
    done = xsync.run(*command)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert tree_of(target) == tree_of(source)


def test_temporaries_of_killed_agents_are_swept_away(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=3_000)
    target = tmp_path / "target"
    with ended(xsync.start("run", source, target, "--agents", "2")) as process:
        kill_runner(xsync.wait_for_files(1))
        xsync.finish(process)
    (target / "top0").mkdir(parents=True, exist_ok=True)
    (target / "top0" / ".xsync-0123456789abcdef").write_bytes(b"half")
    done = xsync.run("run", source, target)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert tree_of(target) == tree_of(source)


def test_a_killed_foreground_command_lets_its_runner_drain(
    xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str
) -> None:
    source = make_source(tmp_path / "source", files=8_000)
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "2")) as process:
        xsync.wait_for(lambda now: now.totals.files.transferred > 200)
        process.kill()
        snapshot = xsync.wait_for(lambda now: not now.runner_alive)
    assert snapshot.status is Status.INTERRUPTED
    assert xsync.run("resume", snapshot.execution).code == 0
    assert verify(source, s3, bucket).differences == ()


def test_sigterm_drains_and_a_run_goes_on(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=8_000)
    command = ["run", str(source), *to_bucket(s3, bucket), "--agents", "2"]
    with ended(xsync.start(*command)) as process:
        xsync.wait_for(lambda now: now.totals.files.transferred > 200)
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
    assert sum(row["kind"] == "file" for row in audit) == 8_000


def test_cancel_ends_for_good_and_leaves_no_upload(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=8_000, large=(300 << 20,))
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "2")) as process:
        xsync.wait_for(lambda now: now.totals.files.transferred > 200)
        assert xsync.run("cancel").code == 0
        cancelled = xsync.finish(process)
    assert cancelled.code == 5
    assert cancelled.result["status"] == "CANCELLED"
    adds_up(cancelled)
    assert xsync.run("resume", cancelled.result["execution"]).code == 2


def test_pause_stops_and_resume_goes_on(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=6_000)
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "2")) as process:
        xsync.wait_for(lambda now: now.totals.files.transferred > 200)
        assert xsync.run("pause").code == 0
        paused = xsync.wait_for(lambda now: now.status is Status.PAUSED)
        assert paused.totals.files.pending > 0
        assert xsync.run("resume").code == 0
        done = xsync.finish(process)
    assert done.code == 0
    assert done.result["files"]["transferred"] == 6_000


def test_agents_come_and_go_while_it_runs(xsync: Xsync, tmp_path: Path, s3: S3Server, bucket: str) -> None:
    source = make_source(tmp_path / "source", files=8_000)
    with ended(xsync.start("run", source, *to_bucket(s3, bucket), "--agents", "1")) as process:
        xsync.wait_for(lambda now: now.totals.files.transferred > 100)
        assert xsync.run("fleet", "add").code == 0
        xsync.wait_for(lambda now: any(a.name == "agent-2" and a.files > 0 for a in now.agents))
        assert xsync.run("fleet", "drain", "agent-1").code == 0
        xsync.wait_for(lambda now: any(a.name == "agent-1" and a.state == "gone" for a in now.agents))
        done = xsync.finish(process)
    assert done.code == 0, (done.errors, done.lines[-1:])
    assert verify(source, s3, bucket).differences == ()
