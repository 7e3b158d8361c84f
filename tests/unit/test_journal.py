"""The writing side of a journal: what is committed together, what a crash leaves, what versions it refuses."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.errors import JournalError, StorageFullError, UsageError
from engine.home import JOURNAL_NAME
from engine.journal import commands, writer
from engine.journal.records import Execution, Part, Runner, Segment, SegmentKind, this_runner
from engine.journal.schema import SCHEMA_VERSION
from engine.journal.writer import Journal
from engine.model import (
    AgentSnapshot,
    Bytes,
    Event,
    Failure,
    Identity,
    LocationSpec,
    Migration,
    Status,
    Tally,
    TaskSnapshot,
    Totals,
)

MIGRATION = Migration(LocationSpec("file:///mnt/lab"), LocationSpec("s3://bucket/images", region="eu-west-1"), "lab")
EXECUTION = Execution("20261122-210512-lab-0000", MIGRATION, "nfs filer:/lab", "s3 bucket", 1000.0, 3)
IDENTITY = Identity(2049, 2**63 + 5, 10**12, 1795381512123456789, 1795381512123456790)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / EXECUTION.id


def create(folder: Path) -> Journal:
    return Journal.create(folder, EXECUTION, this_runner())


def segment(file: str, kind: SegmentKind = "results") -> Segment:
    return Segment(kind, file, 10, 1000, {"tasks": {"0": [10, 5]}})


def counted(files: int) -> Totals:
    return Totals(Tally(files, files), Tally(), Bytes(files, files))


def run_child(folder: Path, code: str) -> subprocess.Popen[str]:
    """Start a process that works on the journal; ``say(x)`` prints, ``wait()`` sleeps until it is killed."""
    text = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom engine.journal.writer import Journal\n"
        "from engine.journal.records import *\nfrom engine.model import *\n"
        "def say(x): print(x, flush=True)\ndef wait(): sys.stdin.read()\n"
        f"folder = Path({str(folder)!r})\n{code}"
    )
    return subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], lines: int) -> list[str]:
    """SIGKILL it once it has printed so many lines; returns all that it printed."""
    assert process.stdout is not None
    read = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()  # communicate() would read past what readline() has read ahead
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return [line.strip() for line in [*read, *rest.splitlines()]]


def test_a_new_journal_is_private_whole_and_durable(folder: Path) -> None:
    with create(folder) as journal:
        assert journal.execution() == EXECUTION
        assert journal.status() is Status.LAUNCHING
        assert journal.totals() == Totals()
        settings = [journal._rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")]
        assert settings == ["wal", 2, 1]
    assert [path.name for path in folder.iterdir()] == [JOURNAL_NAME]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / JOURNAL_NAME).stat().st_mode) == 0o600
    with Journal.open(folder) as journal:
        assert journal.execution() == EXECUTION


def test_an_execution_is_created_once(folder: Path) -> None:
    create(folder).close()
    with pytest.raises(JournalError, match=r"Cannot create the journal .*File exists"):
        create(folder)
    assert [path.name for path in folder.iterdir()] == [JOURNAL_NAME]


def test_a_crash_while_creating_leaves_no_journal(folder: Path) -> None:
    code = (
        "os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "migration = Migration(LocationSpec('file:///a'), LocationSpec('file:///b'))\n"
        "Journal.create(folder, Execution('x', migration, 'a', 'b', 1.0), this_runner())\n"
    )
    kill_after(run_child(folder, code), 1)
    with pytest.raises(JournalError, match=f"There is no journal in {folder}"):
        Journal.open(folder)
    create(folder).close()


def test_a_transaction_is_all_or_nothing(folder: Path) -> None:
    with create(folder) as journal:
        with pytest.raises(ZeroDivisionError), journal.transaction():
            journal.add_segment(segment("r1"))
            journal.set_totals(counted(10), {0: counted(10)})
            1 / 0  # noqa: B018
        assert (journal.segments("results"), journal.totals(), journal.task_totals()) == ([], Totals(), {})
        with journal.transaction():
            journal.add_segment(segment("r1"))
            with journal.transaction():
                journal.set_totals(counted(10), {0: counted(9), 1: counted(1)})
        assert len(journal.segments("results")) == 1
        assert journal.totals() == counted(10)
        assert journal.task_totals() == {0: counted(9), 1: counted(1)}


def test_what_was_not_committed_at_a_kill_is_gone(folder: Path) -> None:
    create(folder).close()
    code = (
        "journal = Journal.open(folder)\n"
        "journal.add_segment(Segment('results', 'r1', 1, 1))\n"
        "with journal.transaction():\n"
        "    journal.add_segment(Segment('results', 'r2', 1, 1))\n"
        "    journal.set_totals(Totals(Tally(5, 5)), {})\n"
        "    journal.add_intent(b'x', 1.0)\n"
        "    say('inside')\n"
        "    wait()\n"
    )
    kill_after(run_child(folder, code), 1)
    with Journal.open(folder) as journal:
        assert [found.file for found in journal.segments("results")] == ["r1"]
        assert (journal.totals(), journal.intents()) == (Totals(), {})
        assert journal._rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("lines", [1, 7, 23])
def test_killed_at_any_moment_all_that_was_said_to_be_committed_is_there_and_agrees(folder: Path, lines: int) -> None:
    create(folder).close()
    code = (
        "journal = Journal.open(folder)\n"
        "identity = Identity(1, 2, 3, 4, 5)\n"
        "for n in range(1, 100_000):\n"
        "    with journal.transaction():\n"
        "        journal.add_segment(Segment('results', f'r{n}', 1, 1))\n"
        "        upload = journal.open_upload(b'p%d' % n, 'u', identity, 1 << 24, 1.0)\n"
        "        journal.add_parts(upload, [(1, 10, 2**64 - n, 'e')])\n"
        "        journal.set_totals(Totals(Tally(n, n)), {})\n"
        "    say(n)\n"
    )
    said = int(kill_after(run_child(folder, code), lines)[-1])
    with Journal.open(folder) as journal:
        number = journal.totals().files.transferred
        assert number in (said, said + 1)
        assert [found.file for found in journal.segments("results")] == [f"r{n}" for n in range(1, number + 1)]
        uploads = journal.open_uploads()
        assert [upload.parts[0].checksum for upload in uploads] == [2**64 - n for n in range(1, number + 1)]


@pytest.mark.parametrize(
    ("version", "needed"),
    [(SCHEMA_VERSION + 1, "xsync 9.8.7 or later for"), (SCHEMA_VERSION - 1, r"xsync 9\.8\.7 for")],
)
def test_another_version_says_which_xsync_is_needed(folder: Path, version: int, needed: str) -> None:
    with create(folder) as journal:
        journal._db.execute("UPDATE written_by SET xsync_version = '9.8.7'")
        journal._db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(JournalError, match=rf"written by xsync 9\.8\.7 \(journal version {version}\).* Use {needed}"):
        Journal.open(folder)


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to look at" * 100])
def test_a_file_that_is_no_journal_is_refused(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / JOURNAL_NAME).write_bytes(content)
    with pytest.raises(JournalError, match=JOURNAL_NAME):
        Journal.open(folder)


def test_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room(folder: Path) -> None:
    with create(folder) as journal:
        journal.add_segment(segment("r1"))
        (pages,) = journal._rows("PRAGMA page_count")[0]
        journal._rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageFullError, match=rf"The disk is full: {folder}"), journal.transaction():
            journal.add_segment(segment("r2"))
            journal.add_failures([Failure("x" * 1000, "unreadable") for _ in range(100)])
        journal._rows("PRAGMA max_page_count = 100000")
        assert [found.file for found in journal.segments("results")] == ["r1"]
        journal.add_segment(segment("r2"))


def test_after_a_swallowed_error_the_rest_of_a_transaction_is_refused(folder: Path) -> None:
    """SQLite may roll back by itself; what follows would otherwise be committed without what came before."""
    with create(folder) as journal:
        with pytest.raises(JournalError, match="rolled back"), journal.transaction():
            journal.add_segment(segment("r1"))
            journal._db.execute("ROLLBACK")
            journal.add_segment(segment("r2"))
        assert journal.segments("results") == []


def test_a_journal_on_a_network_file_system_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(folder).close()

    def refuse(path: Path) -> None:
        raise JournalError(f"network {path}")

    monkeypatch.setattr(writer, "check_local_file_system", refuse)
    with pytest.raises(JournalError, match="network"):
        Journal.open(folder)
    with pytest.raises(JournalError, match="network"):
        create(folder.with_name("other"))


def test_a_journal_belongs_to_one_thread(folder: Path) -> None:
    with create(folder) as journal, ThreadPoolExecutor(1) as pool, pytest.raises(JournalError, match="thread"):
        pool.submit(journal.totals).result()


def test_status_and_its_end(folder: Path) -> None:
    with create(folder) as journal:
        journal.set_status(Status.TRANSFERRING, "", 1001.0)
        assert journal.status() is Status.TRANSFERRING
        journal.set_status(Status.ERROR, "disk \udcff full", 1002.0)
        assert journal._rows("SELECT message, ended_at FROM execution") == [("disk \\udcff full", 1002.0)]
        journal.set_status(Status.PREPARING, "resumed", 1003.0)
        assert journal._rows("SELECT ended_at FROM execution") == [(None,)]


def test_identities_are_set_once(folder: Path) -> None:
    unknown = Execution(EXECUTION.id, MIGRATION, "", "", 1000.0)
    with Journal.create(folder, unknown, this_runner()) as journal:
        journal.set_identities("nfs filer:/lab", "s3 bucket")
        with pytest.raises(JournalError, match="stay so"):
            journal.set_identities("nfs filer:/lab", "s3 other")
        assert journal.execution().destination_identity == "s3 bucket"


def test_segments_come_back_in_order_and_by_kind(folder: Path) -> None:
    with create(folder) as journal:
        first = journal.add_segment(segment("r1"))
        journal.add_segment(segment("e1", "entries"))
        journal.add_segment(segment("r2"))
        found = journal.segments("results")
        assert [item.file for item in found] == ["r1", "r2"]
        assert found[0].id == first
        assert found[0].info == {"tasks": {"0": [10, 5]}}
        with pytest.raises(JournalError, match="UNIQUE"):
            journal.add_segment(segment("r1"))


def test_a_compacted_segment_stays_older_than_what_came_meanwhile(folder: Path) -> None:
    with create(folder) as journal:
        old = [journal.add_segment(segment("r1")), journal.add_segment(segment("r2"))]
        journal.add_segment(segment("e1", "entries"))
        old.append(journal.add_segment(segment("r3")))
        journal.add_segment(segment("newer"))
        journal.replace_segments(old, segment("compacted"))
        assert [item.file for item in journal.segments("results")] == ["compacted", "newer"]
        assert [item.file for item in journal.segments("entries")] == ["e1"]


def test_only_neighbours_that_exist_are_compacted(folder: Path) -> None:
    with create(folder) as journal:
        numbers = [journal.add_segment(segment(f"r{n}")) for n in range(4)]
        for wrong in ([numbers[0], numbers[2]], [numbers[3], 99]):
            with pytest.raises(JournalError, match="not neighbours"):
                journal.replace_segments(wrong, segment("compacted"))
        assert len(journal.segments("results")) == 4


def test_uploads_keep_identity_and_unsigned_checksums(folder: Path) -> None:
    path = b"dir/\xff\n name"
    parts = [(2, 8, 2**64 - 1, "b"), (1, 16, 2**63, "a"), (3, 4, 0, "c")]
    with create(folder) as journal:
        upload = journal.open_upload(path, "upload-1", IDENTITY, 16 << 20, 5.0)
        journal.add_parts(upload, parts)
        journal.add_parts(upload, [(1, 16, 2**63 - 1, "again")])
    with Journal.open(folder) as journal:
        (found,) = journal.open_uploads()
        assert (found.path, found.upload_id, found.identity, found.part_size) == (path, "upload-1", IDENTITY, 16 << 20)
        assert found.parts == (Part(1, 16, 2**63 - 1, "again"), Part(2, 8, 2**64 - 1, "b"), Part(3, 4, 0, "c"))


def test_parts_leave_with_their_upload(folder: Path) -> None:
    with create(folder) as journal:
        first, second = (journal.open_upload(path, "u", IDENTITY, 1, 5.0) for path in (b"a", b"b"))
        journal.add_parts(first, [(1, 1, 1, "")])
        journal.add_parts(second, [(1, 1, 1, "")])
        journal.end_upload(first)
        assert journal._rows("SELECT upload FROM parts") == [(second,)]
        assert [upload.path for upload in journal.open_uploads()] == [b"b"]


def test_an_intent_goes_when_its_upload_is_known(folder: Path) -> None:
    with create(folder) as journal:
        journal.add_intent(b"a", 1.0)
        journal.add_intent(b"b", 2.0)
        journal.open_upload(b"a", "u", IDENTITY, 1, 3.0)
        assert journal.intents() == {b"b": 2.0}


def test_an_intent_that_may_have_left_an_upload_stays_with_its_first_time(folder: Path) -> None:
    """A crash between creating and recording leaves an upload whose id nobody knows."""
    with create(folder) as journal:
        journal.add_intent(b"a", 1.0)
        journal.add_intent(b"a", 9.0)
        journal.open_upload(b"a", "u", IDENTITY, 1, 10.0)
        assert journal.intents() == {b"a": 1.0}


def test_the_plan_of_a_task_is_frozen_and_its_counts_are_not(folder: Path) -> None:
    task = TaskSnapshot("2024", ("/2024",), (), "a1")
    rest = TaskSnapshot("everything else", (), ("/2024",), "a2")
    with create(folder) as journal:
        journal.put_tasks([task, rest])
        moved = TaskSnapshot("2024", ("/2024",), (), "a2", Tally(5, 1), Bytes(9, 1, 8))
        journal.put_tasks([moved, rest])
        assert journal.tasks() == [moved, rest]
        with pytest.raises(JournalError, match=r"Task 1 .*everything else.* cannot become .*2023"):
            journal.put_tasks([task, TaskSnapshot("2023", ("/2023",), (), "a2")])
        assert journal.tasks() == [moved, rest]
        again = TaskSnapshot("everything else", (), ("/2024",), "a1", Tally(7, 2), Bytes(3, 1, 2))
        journal.put_live({1: again})
        assert journal.tasks() == [moved, again]


def agent_rows(journal: Journal) -> dict[str, list[float | None]]:
    """Per agent: joined_at, ended_at."""
    return {name: times for name, *times in journal._rows("SELECT name, joined_at, ended_at FROM agents")}


def test_agents_join_end_and_are_bounded(folder: Path) -> None:
    with create(folder) as journal:
        journal.put_agents([AgentSnapshot("a1", "working"), AgentSnapshot("a2", "working")], 1.0)
        journal.put_agents([AgentSnapshot("a1", "lost"), AgentSnapshot("a2", "idle")], 2.0)
        journal.put_agents([AgentSnapshot("a1", "gone")], 3.0)
        assert agent_rows(journal) == {"a1": [1.0, 2.0], "a2": [1.0, None]}
        for number in range(writer.KEPT_ENDED_AGENTS):
            journal.put_agents([AgentSnapshot(f"b{number}", "lost")], 10.0 + number)
        rows = agent_rows(journal)
        assert len(rows) == writer.KEPT_ENDED_AGENTS + 1
        assert "a1" not in rows
        assert "a2" in rows


def test_a_new_runner_takes_over(folder: Path) -> None:
    with create(folder) as journal:
        journal.put_agents([AgentSnapshot("a1", "working", files=7), AgentSnapshot("a2", "gone")], 1.0)
        asked = commands.ask(folder, "pause", {}, "ann")
        journal.set_runner(Runner(42, "host-2", "boot", "bob"), 50.0)
        assert journal.pending_commands() == []
        assert agent_rows(journal) == {"a1": [1.0, 50.0], "a2": [1.0, 1.0]}
        assert '"state":"lost"' in journal._rows("SELECT snapshot FROM agents WHERE name = 'a1'")[0][0]
    assert commands.outcome_of(folder, asked) == "not done: the runner had ended"


def test_failures_are_counted_exactly_and_kept_up_to_a_limit(folder: Path) -> None:
    many = [Failure(f"f{n}", "unreadable" if n % 3 else "changed while read") for n in range(6_000)]
    with create(folder) as journal:
        journal.add_failures(many)
        journal.add_failures([*many, Failure("\udcff", "vanished", "\udcfe")])
        assert journal._rows("SELECT count(*), max(path) FROM failures") == [(writer.KEPT_FAILURES, "f999")]
        counts = dict(journal._rows("SELECT * FROM failure_counts"))
        assert counts == {"changed while read": 4_000, "unreadable": 8_000, "vanished": 1}


def test_a_resume_keeps_only_the_failures_that_still_hold(folder: Path) -> None:
    with create(folder) as journal:
        journal.add_failures([Failure("a", "unreadable"), Failure("b", "vanished")])
        journal.restart_failures({"unreadable": 1})
        journal.add_failures([Failure("c", "unreadable")])
        assert journal._rows("SELECT path FROM failures") == [("c",)]
        assert journal._rows("SELECT * FROM failure_counts") == [("unreadable", 2)]


def test_segments_can_be_dropped_and_numbers_never_come_back(folder: Path) -> None:
    with create(folder) as journal:
        first = journal.add_segment(segment("r1"))
        journal.drop_segments()
        assert journal.segments("results") == []
        assert journal.add_segment(segment("r1")) > first


def test_text_that_is_not_unicode_does_not_stop_a_run(folder: Path) -> None:
    with create(folder) as journal:
        journal.add_failures([Failure("a\udcff", "unreadable", "\udcfe")])
        journal.add_event(Event(1.0, "warning", "b\udcff"))
        assert journal._rows("SELECT path, detail FROM failures") == [("a\\udcff", "\\udcfe")]


def test_events_are_bounded(folder: Path) -> None:
    with create(folder) as journal, journal.transaction():
        for number in range(writer.KEPT_EVENTS + 50):
            journal.add_event(Event(float(number), "warning", "x"))
        assert journal._rows("SELECT count(*), min(at) FROM events") == [(writer.KEPT_EVENTS, 50.0)]


def test_commands_are_asked_by_others_and_answered_once(folder: Path) -> None:
    with create(folder) as journal:
        first = commands.ask(folder, "limit", {"bytes_per_second": 5}, "ann")
        second = commands.ask(folder, "add_agent", {}, "bob")
        found = journal.pending_commands()
        assert [(c.id, c.verb, c.arguments, c.who) for c in found] == [
            (first, "limit", {"bytes_per_second": 5}, "ann"),
            (second, "add_agent", {}, "bob"),
        ]
        assert commands.outcome_of(folder, first) is None
        journal.answer(first, "limited to 5 B/s", 7.0)
        journal.answer(first, "something else", 8.0)
        assert [c.id for c in journal.pending_commands()] == [second]
    assert commands.outcome_of(folder, first) == "limited to 5 B/s"


def test_an_unknown_verb_is_refused(folder: Path) -> None:
    create(folder).close()
    with pytest.raises(UsageError, match=r"'explode'.*pause, resume, cancel, drain, finish, add_agent"):
        commands.ask(folder, "explode", {}, "ann")


def test_answered_commands_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "KEPT_COMMANDS", 5)
    with create(folder) as journal:
        unanswered = commands.ask(folder, "pause", {}, "ann")
        for _ in range(10):
            journal.answer(commands.ask(folder, "resume", {}, "ann"), "ok", 1.0)
        kept = [number for (number,) in journal._rows("SELECT id FROM commands ORDER BY id")]
        assert kept == [unanswered, 7, 8, 9, 10, 11]


def test_size_does_not_depend_on_files_but_through_segments(folder: Path) -> None:
    """1,000,000 files at 7,000 files/s: 143 groups, each with a segment of entries and one of results."""
    stats: dict[str, Any] = {"tasks": {str(task): {"files": 7000, "bytes": 10**11} for task in range(4)}}
    with create(folder) as journal:
        journal._rows("PRAGMA wal_checkpoint(TRUNCATE)")
        before = (folder / JOURNAL_NAME).stat().st_size
        with journal.transaction():
            for number in range(143):
                journal.add_segment(Segment("entries", f"entries-{number:08}.parquet", 7000, 10**6, stats))
                journal.add_segment(Segment("results", f"results-{number:08}.parquet", 7000, 10**6, stats))
        for _ in range(200):
            with journal.transaction():
                upload = journal.open_upload(b"p" * 100, "u" * 60, IDENTITY, 1 << 24, 1.0)
                journal.add_parts(upload, [(part, 1 << 24, part, "e" * 34) for part in range(1, 300)])
            journal.end_upload(upload)
    assert (folder / JOURNAL_NAME).stat().st_size - before < 200_000


def test_a_reader_from_outside_sees_plain_tables(folder: Path) -> None:
    """People look into it with the sqlite3 command: values are text, numbers and JSON."""
    create(folder).close()
    db = sqlite3.connect(f"file:{folder / JOURNAL_NAME}?mode=ro", uri=True)
    try:
        assert db.execute("SELECT migration ->> '$.source.url' FROM execution").fetchone() == ("file:///mnt/lab",)
    finally:
        db.close()
