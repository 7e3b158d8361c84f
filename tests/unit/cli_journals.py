"""Executions for tests of the command line: real journals, written as a runner writes them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.home import prepare_home
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.locks import runner_lock
from engine.model import (
    AgentSnapshot,
    Bytes,
    Event,
    Failure,
    LocationSpec,
    Migration,
    Status,
    Tally,
    TaskSnapshot,
    Totals,
)
from xsync_tui.cli.entry import run

TOTALS = Totals(
    Tally(discovered=1_000, transferred=600, skipped=100, failed=2, excluded=50, verified=600),
    Tally(discovered=12),
    Bytes(source=2_000_000, transferred=1_000_000, pending=500_000),
    listing_complete=True,
)
DONE = Totals(
    Tally(discovered=1_000, transferred=948, excluded=50, failed=2, verified=948),
    Tally(discovered=12),
    Bytes(source=2_000_000, transferred=1_990_000),
    listing_complete=True,
)
CLEAN = Totals(Tally(discovered=1_000, transferred=1_000, verified=1_000), Tally(12), Bytes(2_000, 2_000), True)
FAILURES = (
    Failure("2023/May/x.svs", "changed while read", "size 5 became 6"),
    Failure("2023/secret\\x1b", "unreadable", "EACCES"),
)


def make_execution(
    name: str | None,
    status: Status,
    *,
    totals: Totals = TOTALS,
    failures: Sequence[Failure] = (),
    message: str = "",
    silent: float = 0.0,
    test: bool = False,
) -> Path:
    """The folder of an execution in this state, whose runner last gave a sign ``silent`` seconds ago."""
    now = time.time()
    home = prepare_home()
    number = len(list(home.executions.iterdir()))
    identity = f"20250513-2148{number:02d}-{name or 'x'}-3f2a"
    folder = home.executions / identity
    migration = Migration(LocationSpec("/mnt/lab"), LocationSpec("s3://lab/img"), name=name, test=test)
    with Journal.create(folder, Execution(identity, migration, "", "", now - 100 - silent), this_runner()) as journal:
        journal.heartbeat(now - silent, (60.0, 120.0))
        journal.put_tasks(
            [TaskSnapshot("2023", ("/2023",), (), "agent-1"), TaskSnapshot("rest", (), ("/2023",), "agent-2")]
        )
        journal.put_agents([AgentSnapshot("agent-1", "working", path="2023/a"), AgentSnapshot("agent-2", "idle")], now)
        journal.set_totals(totals, {})
        journal.add_failures(failures)
        journal.add_event(Event(now - silent, "started", "2 agents, 2 tasks"))
        journal.set_status(status, message, now - silent)
    return folder


@contextmanager
def alive(folder: Path) -> Iterator[None]:
    """Hold the lock that a live runner holds."""
    with runner_lock(folder):
        yield


@contextmanager
def answering(folder: Path, outcome: str) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """A runner that lives and answers every command with ``outcome``; yields what it was asked."""
    asked: list[tuple[str, dict[str, Any]]] = []
    over = threading.Event()

    def work() -> None:
        with Journal.open(folder) as journal:
            while not over.wait(0.01):
                for command in journal.pending_commands():
                    asked.append((command.verb, command.arguments))
                    journal.answer(command.id, outcome, time.time())

    runner = threading.Thread(target=work)
    with alive(folder):
        runner.start()
        try:
            yield asked
        finally:
            over.set()
            runner.join()


class Ran:
    """What a command printed and returned."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """The only JSON object on stdout."""
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


def xsync(capture: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """Run a command in this process."""
    capture.readouterr()
    code = run(list(arguments))
    captured = capture.readouterr()
    return Ran(code, captured.out, captured.err)
