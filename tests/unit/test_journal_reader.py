"""The reading side of a journal: snapshots that are true, cheap and undisturbed by the writer."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import JournalError
from engine.home import JOURNAL_NAME, find_home, new_execution_id
from engine.journal import reader
from engine.journal.reader import SnapshotReader
from engine.journal.records import Execution, Runner, Segment, this_runner
from engine.journal.writer import Journal
from engine.locks import runner_lock
from engine.model import (
    AgentSnapshot,
    Bytes,
    Event,
    Failure,
    LocationSpec,
    Migration,
    Sample,
    Snapshot,
    Status,
    Tally,
    TaskSnapshot,
    Totals,
)

MIGRATION = Migration(LocationSpec("file:///mnt/lab"), LocationSpec("s3://bucket/images"), "lab")
RUNNER = Runner(4242, "host-1", "boot", "ann")


def create(folder: Path) -> Journal:
    return Journal.create(folder, Execution(folder.name, MIGRATION, "a", "b", 1000.0), RUNNER)


def totals(files: int) -> Totals:
    return Totals(Tally(files, files - 1, failed=1), Tally(3, 3), Bytes(files * 10, files * 10), True)


def test_a_new_execution(tmp_path: Path) -> None:
    create(tmp_path / "x").close()
    assert reader.read_snapshot(tmp_path / "x") == Snapshot(
        execution="x",
        profile="lab",
        source="file:///mnt/lab",
        destination="s3://bucket/images",
        status=Status.LAUNCHING,
        started_at=1000.0,
        ended_at=None,
        heartbeat_at=1000.0,
        runner_alive=False,
        runner_pid=4242,
        host="host-1",
        totals=Totals(),
    )


def test_everything_that_was_written_comes_back(tmp_path: Path) -> None:
    agents = [AgentSnapshot("a1", "working", "2024", "2024/x", 5, 500, 1.5, 2.5, 3, 64, 0.5, 10**8, 1009.0)]
    task = TaskSnapshot("2024", ("/2024",), ("*.tmp",), "a1", Tally(10, 9), Bytes(100, 90))
    with create(tmp_path / "x") as journal, runner_lock(tmp_path / "x"), journal.transaction():
        journal.set_status(Status.TRANSFERRING, "well", 1001.0)
        journal.put_agents(agents, 1001.0)
        journal.put_tasks([task])
        journal.set_totals(totals(10), {0: totals(9)})
        journal.heartbeat(1009.0, (60.0, 90.0))
        journal.add_failures([Failure("a", "unreadable"), Failure("b", "vanished"), Failure("c", "unreadable")])
        for number in range(reader.SHOWN_EVENTS + 5):
            journal.add_event(Event(1000.0 + number, "started", str(number)))
        for second in range(20):
            journal.add_sample(Sample(1000.0 + second, second * 50, second * 1000, 1.0, 1.0))
    with runner_lock(tmp_path / "x"):
        found = reader.read_snapshot(tmp_path / "x")
    assert (found.status, found.message, found.runner_alive) == (Status.TRANSFERRING, "well", True)
    assert (found.agents, found.tasks, found.totals) == (tuple(agents), (task,), totals(10))
    assert (found.heartbeat_at, found.eta_seconds) == (1009.0, (60.0, 90.0))
    assert (found.files_per_second, found.bytes_per_second) == (50.0, 1000.0)
    assert found.failure_counts == {"unreadable": 2, "vanished": 1}
    assert [event.text for event in found.events] == [str(number) for number in range(5, reader.SHOWN_EVENTS + 5)]
    with SnapshotReader(tmp_path / "x") as watcher:
        assert [failure.path for failure in watcher.failures()] == ["a", "b", "c"]
        assert [sample.files for sample in watcher.history(2)] == [450, 950]
    assert reader.history(tmp_path / "x", 1)[0].bytes == 19_000


def test_without_a_runner_nothing_moves(tmp_path: Path) -> None:
    with create(tmp_path / "x") as journal:
        journal.add_sample(Sample(1000.0, 50, 1000, 9.0, 9.0))
        assert reader.read_snapshot(tmp_path / "x").files_per_second == 0.0


def test_unchanged_is_the_same_object_and_a_change_is_seen(tmp_path: Path) -> None:
    with create(tmp_path / "x") as journal, SnapshotReader(tmp_path / "x") as watcher:
        first = watcher.read()
        assert watcher.read() is first
        journal.set_totals(totals(5), {})
        second = watcher.read()
        assert second.totals == totals(5)
        assert watcher.read() is second


def test_the_end_of_a_runner_is_seen_although_it_wrote_nothing(tmp_path: Path) -> None:
    with create(tmp_path / "x"), SnapshotReader(tmp_path / "x") as watcher:
        with runner_lock(tmp_path / "x"):
            assert watcher.read().runner_alive
        assert not watcher.read().runner_alive


def test_a_reader_sees_what_a_killed_runner_committed(tmp_path: Path) -> None:
    create(tmp_path / "x").close()
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom engine.journal.writer import Journal\n"
        "from engine.model import *\njournal = Journal.open(Path(sys.argv[1]))\n"
        "journal.set_totals(Totals(Tally(7, 7)), {})\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=False)
    assert (tmp_path / "x" / f"{JOURNAL_NAME}-wal").stat().st_size > 0
    assert reader.read_snapshot(tmp_path / "x").totals.files.transferred == 7


def test_readers_hold_no_transaction(tmp_path: Path) -> None:
    """An open read transaction would let the write-ahead log grow for as long as someone watches."""
    with create(tmp_path / "x") as journal, SnapshotReader(tmp_path / "x") as watcher:
        for number in range(1, 4):
            journal.set_totals(totals(number), {})
            watcher.read()
            watcher.history(10)
            assert not watcher._db.in_transaction
        blocked, _, _ = journal._rows("PRAGMA wal_checkpoint(TRUNCATE)")[0]
        assert blocked == 0


def test_concurrent_readers_see_only_whole_commits_and_stop_no_one(tmp_path: Path) -> None:
    folder, done = tmp_path / "x", threading.Event()
    problems: list[str] = []
    seen: list[int] = []

    def watch() -> None:
        with SnapshotReader(folder) as watcher:
            last = 0
            while not done.is_set():
                found = watcher.read()
                files = found.totals.files.discovered
                if files < last or (found.tasks and found.tasks[0].files.discovered != files):
                    problems.append(f"{last} {found}")
                last = files
            seen.append(watcher.read().totals.files.discovered)

    with create(folder) as journal:
        watchers = [threading.Thread(target=watch) for _ in range(3)]
        for watcher in watchers:
            watcher.start()
        for number in range(1, 200):
            with journal.transaction():
                journal.set_totals(totals(number), {})
                journal.add_segment(Segment("results", f"r{number}", 1, 1))
                journal.put_tasks([TaskSnapshot("all", (), (), "a1", totals(number).files)])
        done.set()
        for watcher in watchers:
            watcher.join()
    assert not problems
    assert seen == [199, 199, 199]


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    create(tmp_path / "x").close()
    with SnapshotReader(tmp_path / "x") as watcher, pytest.raises(Exception, match="readonly"):
        watcher._db.execute("DELETE FROM totals")


def test_what_other_runs_need_to_know_of_one(tmp_path: Path) -> None:
    with create(tmp_path / "x") as journal:
        journal.add_segment(Segment("results", "r1", 5, 6, {"merged": True}))
        assert reader.read_migration(tmp_path / "x") == MIGRATION
        assert reader.read_identities(tmp_path / "x") == ("a", "b")
        assert reader.read_segments(tmp_path / "x", "results") == journal.segments("results")
        assert reader.read_segments(tmp_path / "x", "entries") == []


def test_a_missing_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="There is no journal in"):
        reader.read_snapshot(tmp_path)


def test_the_list_of_executions_survives_one_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    executions = tmp_path / "executions"
    names = [new_execution_id(float(second), "lab") for second in range(3)]
    with create(executions / names[0]) as journal:
        journal.set_totals(totals(9), {})
        journal.set_status(Status.SUCCESS, "", 2000.0)
    with create(executions / names[1]) as journal:
        journal._db.execute("PRAGMA user_version = 99")
    with create(executions / names[2]), runner_lock(executions / names[2]):
        first, second, third = reader.list_executions(find_home())
    assert [item.execution for item in (first, second, third)] == names
    assert (first.status, first.ended_at, first.totals, first.profile) == (Status.SUCCESS, 2000.0, totals(9), "lab")
    assert "journal version 99" in second.problem
    assert (third.runner_alive, third.status, third.problem) == (True, Status.LAUNCHING, "")


def test_this_runner_describes_this_process() -> None:
    found = this_runner()
    assert found.pid > 0
    assert found.host
    assert found.user


def test_status_loads_nothing_heavy() -> None:
    code = (
        "import sys\nimport engine.journal.reader, engine.journal.commands, engine.journal.writer, engine.locks\n"
        "print(sorted({'pyarrow', 'duckdb', 'boto3', 'cryptography', 'awscrt', 'textual'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
