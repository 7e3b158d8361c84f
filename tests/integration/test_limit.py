"""A bandwidth limit as a person sets it: it reaches the agents, is shown, outlives a crash, and can be lifted."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from engine.execution.foretelling.held import was_held
from engine.journal.writer import Journal
from engine.model import Limit, Snapshot, Status
from engine.reporting.report import REPORT
from engine.transfer.throttle import BURST_SECONDS
from tests.support import Xsync, ended, make_source, tree_of
from xsync_tui.cli.running import read_report

LIMIT = 1_000_000
SIZE = 40 << 20


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def _sent(snapshot: Snapshot) -> int:
    return sum(agent.bytes for agent in snapshot.agents)


def _limited(snapshot: Snapshot) -> bool:
    return snapshot.limit_bytes_per_second is not None and _sent(snapshot) > 0


def test_a_run_under_a_limit_is_slow_until_the_limit_is_lifted(tmp_path: Path, xsync: Xsync) -> None:
    """At the limit it would take the test's patience; that it ends in time shows that lifting it reached the agents."""
    source = make_source(tmp_path / "source", files=100, large=(SIZE, SIZE, SIZE))
    run = xsync.start("run", source, tmp_path / "target", "--limit", "8Mbit/s", "--agents", "2")
    with ended(run):
        seen = xsync.wait_for(_limited)
        assert (seen.limit_bytes_per_second, seen.limit_until) == (LIMIT, None)
        shown = xsync.run("status").lines[0]
        assert shown["limit_bytes_per_second"] == LIMIT
        assert shown["limit_until"] is None
        # a second more than the clocks show: agents report what they sent since they were looked at
        seconds = shown["runner"]["heartbeat_at"] - shown["started_at"] + 1
        assert sum(agent["bytes"] for agent in shown["agents"]) <= LIMIT * (seconds + BURST_SECONDS)
        answer = xsync.run("limit", "none")
        assert answer.code == 0
        assert answer.lines[0]["outcome"] == "done: no limit until the run ends"
        finished = xsync.finish(run)
    assert finished.code == 0, finished.errors
    assert was_held(read_report(xsync.folder() / REPORT)), "so that it teaches nothing of agents"
    assert tree_of(tmp_path / "target") == tree_of(source)
    events = [event.text for event in xsync.wait_for(lambda now: now.status.ended).events]
    assert "limit 1.00 MB/s" in events
    assert any("asked to limit: done: no limit until the run ends" in text for text in events)


def test_small_files_are_there_before_the_large_ones_beside_them(tmp_path: Path, xsync: Xsync) -> None:
    source = make_source(tmp_path / "source", files=300, sizes=(1_000,), large=(SIZE, SIZE))
    run = xsync.start("run", source, tmp_path / "target", "--limit", "4MB/s", "--agents", "1")
    with ended(run):
        seen = xsync.wait_for_files(300)
        xsync.lift_limit()
        finished = xsync.finish(run)
    assert seen.totals.bytes.transferred < SIZE
    assert finished.code == 0, finished.errors
    assert tree_of(tmp_path / "target") == tree_of(source)


def test_what_a_person_chose_outlives_the_runner(tmp_path: Path, xsync: Xsync) -> None:
    source = make_source(tmp_path / "source", files=10, large=(SIZE, SIZE))
    run = xsync.start("run", source, tmp_path / "target", "--limit", "8Mbit/s")
    with ended(run):
        xsync.wait_for(_limited)
        assert xsync.run("limit", "16Mbit/s").code == 0
        seen = xsync.wait_for(lambda now: now.limit_bytes_per_second == 2 * LIMIT)
        os.kill(seen.runner_pid, signal.SIGKILL)
        run.wait(30)
    with Journal.open(xsync.folder()) as journal:
        assert journal.limit() == Limit(2 * LIMIT, None, chosen=True)
    resumed = xsync.start("resume")
    with ended(resumed):
        again = xsync.wait_for(lambda now: now.runner_pid != seen.runner_pid and now.status is Status.TRANSFERRING)
        assert again.limit_bytes_per_second == 2 * LIMIT
        assert xsync.run("limit", "none").code == 0
        finished = xsync.finish(resumed)
    assert finished.code == 0, finished.errors
    assert tree_of(tmp_path / "target") == tree_of(source)


def test_the_timetable_of_a_profile_is_kept_and_shown(tmp_path: Path, xsync: Xsync) -> None:
    source = make_source(tmp_path / "source", files=10, large=(SIZE,))
    profile = tmp_path / "lab.toml"
    profile.write_text(
        f'schema = 1\nname = "lab"\n[source]\nurl = "{source}"\n[destination]\nurl = "{tmp_path / "target"}"\n'
        "[options]\nbytes_per_second = 2000000\n"
        '[[network.timetable]]\ndays = "Mon-Sun"\nhours = "00:00-24:00"\nlimit = "8Mbit/s"\n'
    )
    run = xsync.start("run", profile)
    with ended(run):
        assert xsync.wait_for(_limited).limit_bytes_per_second == LIMIT
        assert xsync.run("limit", "none").code == 0
        assert xsync.finish(run).code == 0
    assert tree_of(tmp_path / "target") == tree_of(source)
