"""Locks between real processes: runner, agents, destinations."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from engine import locks
from engine.errors import BusyError, JournalError
from engine.locks import Holder

FORK = """
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.write(write, b"runs")  # until then it shares the lock
    sys.stdin.read()
    os._exit(0)
os.read(read, 4)
print(child)
"""

FORKSERVER = """
import multiprocessing, time
child = multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(60,))
child.start()
print(child.pid)
"""

HOLD = "\nprint('held', flush=True)\nsys.stdin.read()\n"


class Other(NamedTuple):
    """Another process, and what it printed before it said that it holds its lock."""

    process: subprocess.Popen[str]
    said: str

    @property
    def pid(self) -> int:
        return self.process.pid


Start = Callable[[str], Other]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that runs some code and then waits, until the test ends or kills it."""
    started: list[subprocess.Popen[str]] = []

    def start_one(code: str) -> Other:
        text = "import os, sys\nfrom pathlib import Path\nfrom engine import locks\n" + code + HOLD
        command = [sys.executable, "-c", text]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        said = []
        while (line := process.stdout.readline()) != "held\n":
            assert line, "the process ended before it held its lock"
            said.append(line)
        return Other(process, "".join(said))

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def kill(other: Other) -> None:
    other.process.send_signal(signal.SIGKILL)
    other.process.wait()


def holder(execution: str = "20261122-210512-lab-0000") -> Holder:
    return Holder(execution, "lab", "ann", "host-1", os.getpid(), 1795381512.0)


def hold_destination(folder: Path, identity: str, prefix: bytes) -> str:
    return (
        "holder = locks.Holder('20261122-210512-other-0000', 'other', 'bob', 'host-2', 77, 1795381512.0)\n"
        f"lock = locks.destination_lock(Path({str(folder)!r}), {identity!r}, {prefix!r}, holder)"
    )


def test_one_runner_and_a_dead_one_leaves_nothing_to_clean(tmp_path: Path, start: Start) -> None:
    assert not locks.runner_alive(tmp_path)
    other = start(f"lock = locks.runner_lock(Path({str(tmp_path)!r}))")
    assert locks.runner_alive(tmp_path)
    with pytest.raises(BusyError, match=rf"{tmp_path.name} already runs \(pid {other.pid}\).*xsync attach"):
        locks.runner_lock(tmp_path)
    kill(other)
    assert not locks.runner_alive(tmp_path)
    with locks.runner_lock(tmp_path):
        assert locks.runner_alive(tmp_path)
    assert not locks.runner_alive(tmp_path)


def test_a_runner_waits_out_a_probe(tmp_path: Path) -> None:
    """Without the grace a watcher at the wrong instant would keep a runner from starting."""
    path = tmp_path / "runner.lock"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    tries: list[float] = []

    def end_probe(seconds: float) -> None:
        tries.append(seconds)
        fcntl.flock(fd, fcntl.LOCK_UN)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.locks.time.sleep", end_probe)
        locks.runner_lock(tmp_path).release()
    os.close(fd)
    assert len(tries) == 1


@pytest.mark.parametrize(
    "make_child",
    [
        FORK,
        "import subprocess\nchild = subprocess.Popen(['sleep', '60'], close_fds=False)\nprint(child.pid)",
        FORKSERVER,
    ],
    ids=["fork", "exec", "forkserver"],
)
def test_a_child_does_not_keep_the_lock_of_its_runner(tmp_path: Path, start: Start, make_child: str) -> None:
    runner = start(f"lock = locks.runner_lock(Path({str(tmp_path)!r}))\n{make_child}\nsys.stdout.flush()")
    child = int(runner.said)
    try:
        kill(runner)
        os.kill(child, 0)
        assert not locks.runner_alive(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)


def test_releasing_in_a_forked_child_leaves_the_lock_of_the_parent(tmp_path: Path, start: Start) -> None:
    release = "\nif os.fork() == 0:\n    lock.release()\n    os._exit(0)\nprint(os.wait()[1], lock.path)"
    status, path = start(hold_destination(tmp_path, "s3 bucket", b"a") + release).said.split()
    assert status == "0"
    assert locks.is_locked(Path(path))


def test_a_resume_waits_for_every_agent_and_names_the_stuck_one(tmp_path: Path, start: Start) -> None:
    code = f"lock = locks.agents_lock(Path({str(tmp_path)!r}))"
    first, second = start(code), start(code)
    kill(first)
    with pytest.raises(BusyError, match=rf"\(pid {second.pid}\).*dead mount.*xsync resume {tmp_path.name}"):
        locks.wait_for_agents(tmp_path, 0.0)
    kill(second)
    locks.wait_for_agents(tmp_path, 10.0)
    with locks.agents_lock(tmp_path), locks.agents_lock(tmp_path):
        pass


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (b"", b"", True),
        (b"", b"a/b", True),
        (b"a", b"a", True),
        (b"a", b"a/b", True),
        (b"a/", b"a/b/c", True),
        (b"a", b"ab", False),
        (b"a/b", b"a/c", False),
        (b"a/b", b"b/a", False),
        (b"a/\xff", b"a/\xff/x", True),
    ],
)
def test_overlap_is_by_whole_components(one: bytes, other: bytes, expected: bool) -> None:
    assert locks.overlaps(one, other) is expected
    assert locks.overlaps(other, one) is expected


@pytest.mark.parametrize("prefix", [b"", b"images", b"images/2024"])
def test_an_overlapping_destination_is_refused_with_its_holder(tmp_path: Path, start: Start, prefix: bytes) -> None:
    start(hold_destination(tmp_path, "s3 bucket", b"images"))
    who = r"20261122-210512-other-0000 of profile other .*bob@host-2, pid 77, since 2026-11-22 21:05:12 UTC"
    with pytest.raises(BusyError, match=who + r".*xsync cancel 20261122-210512-other-0000") as refused:
        locks.destination_lock(tmp_path, "s3 bucket", prefix, holder())
    assert "It holds folder images of s3 bucket." in str(refused.value)


def test_other_destinations_are_free(tmp_path: Path, start: Start) -> None:
    start(hold_destination(tmp_path, "s3 bucket", b"images"))
    with locks.destination_lock(tmp_path, "s3 bucket", b"images2", holder()):
        pass
    with locks.destination_lock(tmp_path, "s3 other", b"images", holder()):
        pass


def test_a_dead_holder_frees_its_destination_and_its_file_goes(tmp_path: Path, start: Start) -> None:
    dead = start(hold_destination(tmp_path, "s3 bucket", b"images"))
    kill(dead)
    (stale,) = tmp_path.glob("*.lock")
    with locks.destination_lock(tmp_path, "s3 bucket", b"images", holder()) as lock:
        assert [*tmp_path.glob("*.lock")] == [lock.path]
        assert lock.path != stale
        assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600
    assert not [*tmp_path.glob("*.lock")]


def test_of_many_that_start_at_once_one_wins(tmp_path: Path) -> None:
    text = (
        "import sys\nfrom pathlib import Path\nfrom engine import locks\nfrom engine.errors import BusyError\n"
        "sys.stdin.readline()\ntry:\n    " + hold_destination(tmp_path, "b", b"x").replace("\n", "\n    ") + "\n"
        "except BusyError:\n    print('busy', flush=True)\nelse:\n    print('held', flush=True)\nsys.stdin.read()\n"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.stdout.readline() for racer in racers if racer.stdout is not None]
    for racer in racers:
        racer.communicate()
    assert sorted(said) == ["busy\n"] * 5 + ["held\n"]


def test_a_live_lock_that_cannot_be_read_is_respected(tmp_path: Path, start: Start) -> None:
    start(
        f"fd = os.open({str(tmp_path / 'x.lock')!r}, os.O_RDWR | os.O_CREAT)\n"
        "locks.fcntl.flock(fd, locks.fcntl.LOCK_EX)\nos.write(fd, b'{')"
    )
    with pytest.raises(BusyError, match="cannot be read"):
        locks.destination_lock(tmp_path, "b", b"", holder())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=f"{tmp_path / 'gone'}.*No such file"):
        locks.runner_lock(tmp_path / "gone")


def test_claims_are_made_one_at_a_time(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mutex two runs could both look, see nobody, and both claim the same destination."""
    other = start(f"fd = locks._open(Path({str(tmp_path / 'mutex')!r}))\nlocks._flock(fd, locks.fcntl.LOCK_EX, 0.0)")
    monkeypatch.setattr(locks, "MUTEX_SECONDS", 0.0)
    with pytest.raises(BusyError, match=rf"Another xsync \(pid {other.pid}\) holds {tmp_path / 'mutex'}"):
        locks.destination_lock(tmp_path, "b", b"x", holder())
    kill(other)
    locks.destination_lock(tmp_path, "b", b"x", holder()).release()
