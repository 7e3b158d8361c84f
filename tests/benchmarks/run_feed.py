"""A run of 16 agents as its runner would write it into a journal: a day behind it, then twice a second."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.home import prepare_home
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.locks import runner_lock
from engine.model import (
    AgentSnapshot,
    AgentTimes,
    Bytes,
    Event,
    LocationSpec,
    Migration,
    Sample,
    Status,
    Tally,
    TaskSnapshot,
    Totals,
)

AGENTS = 16
DAY = 86_400.0
PERIOD = 0.5
"""Seconds between two writes of a runner."""

NAME = "20250513-214800-lab-3f2a"

_RATE, _FILES = 2.17e9, 540.0


def agents(at: float) -> list[AgentSnapshot]:
    """What 16 agents report at a time: each at its own rate, which moves a little."""
    return [
        AgentSnapshot(
            f"agent-{number}",
            "working",
            task=str(2010 + number),
            path=f"{2010 + number}/May/plate {int(at * 3) % 97}/scan-{int(at * 30) % 9973}.svs",
            files=int(at * 34) % 10**7,
            bytes=int(at * 1.35e8) % 10**14,
            files_per_second=33.8 + 2 * math.sin(at / 7 + number),
            bytes_per_second=1.35e8 * (1 + 0.02 * math.sin(at / 5 + number)),
            in_flight=32 - int(at + number) % 3,
            window=64,
            reported_at=at,
            times=AgentTimes(at % DAY, source=0.2 * (at % DAY), destination=0.7 * (at % DAY), cpu=0.1 * (at % DAY)),
        )
        for number in range(1, AGENTS + 1)
    ]


def totals(at: float, began: float) -> Totals:
    """The ledger at a time."""
    done = int(_FILES * (at - began))
    found = int(_FILES * DAY * 1.6)
    size = int(_RATE * DAY * 1.6)
    moved = int(_RATE * (at - began))
    return Totals(
        Tally(discovered=found, transferred=done, verified=done), Tally(1_000), Bytes(size, moved, size - moved), True
    )


def sample(at: float, began: float) -> Sample:
    """The throughput at a time."""
    rate = _RATE * (1 + 0.05 * math.sin(at / 900))
    return Sample(at, int(_FILES * (at - began)), int(_RATE * (at - began)), _FILES, rate)


@contextmanager
def feed() -> Iterator[Path]:
    """A journal in this process's home with a day of samples, written on until the block ends; yields its folder."""
    began = time.time() - DAY
    folder = prepare_home().executions / NAME
    migration = Migration(LocationSpec("/mnt/lab"), LocationSpec("s3://lab/img"), agents=AGENTS)
    over = threading.Event()
    with Journal.create(folder, Execution(NAME, migration, "", "", began), this_runner()) as journal:
        with journal.transaction():
            for number in range(int(DAY / 5)):
                at = began + 5 * number
                journal.add_sample(sample(at, began))
                journal.add_agent_rates(at, _rates(at))
            names = [str(2010 + number) for number in range(1, AGENTS + 1)]
            journal.put_tasks([TaskSnapshot(n, (f"/{n}",), (), f"agent-{at}") for at, n in enumerate(names, 1)])
            journal.add_event(Event(began, "started", f"{AGENTS} agents, {AGENTS} tasks"))
        _write(journal, began)
    writer = threading.Thread(target=_keep_writing, args=(folder, began, over))
    with runner_lock(folder):
        writer.start()
        try:
            yield folder
        finally:
            over.set()
            writer.join()


def _rates(at: float) -> dict[str, float]:
    return {agent.name: agent.bytes_per_second for agent in agents(at)}


def _keep_writing(folder: Path, began: float, over: threading.Event) -> None:
    with Journal.open(folder) as journal:
        while not over.wait(PERIOD):
            _write(journal, began)


def _write(journal: Journal, began: float) -> None:
    now = time.time()
    with journal.transaction():
        journal.put_agents(agents(now), now)
        journal.set_totals(totals(now, began), {})
        journal.add_sample(sample(now, began))
        journal.add_agent_rates(now, _rates(now))
        journal.heartbeat(now, (0.58 * DAY, 0.62 * DAY))
        journal.set_status(Status.TRANSFERRING, "", now)
