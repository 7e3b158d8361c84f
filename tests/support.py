"""What the end-to-end tests share: the command as a user runs it, sources with something in them, and waiting."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from engine.catalog.state import read_state, write_state
from engine.home import Home, list_execution_folders
from engine.journal.reader import SnapshotReader, read_snapshot
from engine.journal.schema import connect
from engine.model import Snapshot, Status


@dataclass
class Finished:
    """What a command printed and its exit code."""

    code: int
    lines: list[dict[str, Any]]
    errors: str

    @property
    def message(self) -> str:
        """What went wrong, as the line of type error says it."""
        return str(next(line["message"] for line in self.lines if line.get("type") == "error"))

    @property
    def result(self) -> dict[str, Any]:
        """The line of type result."""
        return next(line for line in self.lines if line.get("type") == "result")


class Started(subprocess.Popen[str]):
    """A command that writes to files: a pipe that nobody reads while a test waits would fill and stop it."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.out: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by ``ended``)
        self.err: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115
        super().__init__(command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err, text=True, env=env)


@dataclass
class Xsync:
    """The xsync command with a home of its own."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    wrapper: list[str] = field(default_factory=list)

    def start(self, *arguments: str | os.PathLike[str]) -> Started:
        """Start a command with --json, off a terminal."""
        command = [*self.wrapper, sys.executable, "-m", "xsync_tui", *map(str, arguments), "--json"]
        return Started(command, os.environ | {"XSYNC_HOME": str(self.home)} | self.env)

    def finish(self, process: Started, seconds: float = 90) -> Finished:
        """Wait for a command."""
        with ended(process):
            code = process.wait(seconds)
            for file in (process.out, process.err):
                file.seek(0)
            lines = [json.loads(line) for line in process.out if line.strip()]
            return Finished(code, lines, process.err.read())

    def run(self, *arguments: str | os.PathLike[str], seconds: float = 90) -> Finished:
        """Run a command to its end."""
        return self.finish(self.start(*arguments), seconds)

    def executions(self) -> list[str]:
        """Ids of all executions, oldest first."""
        return [folder.name for folder in self._folders()]

    def _folders(self) -> list[Path]:
        return list_execution_folders(Home(self.home, self.home / "profiles", False))

    def folder(self) -> Path:
        """The folder of the latest execution."""
        return self._folders()[-1]

    def snapshot(self) -> Snapshot | None:
        """The latest execution as its journal has it, or None while there is none."""
        folders = self._folders()
        return read_snapshot(folders[-1]) if folders else None

    def settle(self) -> None:
        """Take no fact in the state for unsure any more, as if all files had been left alone before they were read."""
        for manifest in self.home.glob("state/*/state.json"):
            state = read_state(manifest.parent)
            files = tuple(msgspec.structs.replace(file, unsure=0) for file in state.files)
            write_state(manifest.parent, msgspec.structs.replace(state, files=files))

    def wait_for(self, condition: Callable[[Snapshot], bool], seconds: float = 60) -> Snapshot:
        """Poll the latest execution until ``condition`` holds."""
        deadline = time.monotonic() + seconds
        with ExitStack() as stack:
            reader: SnapshotReader | None = None  # kept: an unchanged journal is not read again
            while time.monotonic() < deadline:
                folders = self._folders()
                if folders and (reader is None or reader.folder != folders[-1]):
                    reader = stack.enter_context(SnapshotReader(folders[-1]))
                if reader is not None and condition(snapshot := reader.read()):
                    return snapshot
                time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s in vain; last: {self.snapshot()}")

    def wait_for_files(self, transferred: int) -> Snapshot:
        """Poll until so many files are transferred, or the execution has ended."""
        return self.wait_for(lambda now: now.totals.files.transferred >= transferred or now.status.ended)

    def wait_for_bytes(self, of_one_agent: int) -> Snapshot:
        """Poll until an agent has sent so many bytes; the execution must not have ended by then."""
        snapshot = self.wait_for(lambda now: now.status.ended or any(a.bytes > of_one_agent for a in now.agents))
        assert not snapshot.status.ended, "it ended before enough was sent: make the source larger"
        return snapshot

    def wait_for_agents(self, count: int) -> Snapshot:
        """Poll until so many agents have sent something; the execution must not have ended by then."""
        snapshot = self.wait_for(lambda now: now.status.ended or sum(a.bytes > 0 for a in now.agents) >= count)
        assert not snapshot.status.ended, "it ended before all had begun: make the source larger"
        return snapshot

    def stored_parts(self) -> int:
        """Parts of large files that the latest execution has recorded, and whose upload is not complete."""
        with closing(connect(self.folder(), "ro")) as db:
            return int(db.execute("SELECT count(*) FROM parts").fetchone()[0])

    def wait_for_parts(self) -> Snapshot:
        """Poll until a part of a large file is recorded; the execution must not have ended by then."""
        snapshot = self.wait_for(lambda now: now.status.ended or self.stored_parts() > 0)
        assert not snapshot.status.ended, "it ended before it was looked at: lower its limit"
        return snapshot

    def lift_limit(self) -> None:
        """Let the latest execution, which runs or is about to, go as fast as it can."""
        self.wait_for(lambda now: now.runner_alive and now.status is Status.TRANSFERRING)
        assert self.run("limit", "none").code == 0


@contextmanager
def ended(process: Started) -> Iterator[Started]:
    """Whatever happens in the block, the process is over after it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.out.close()
        process.err.close()


SLOW = ("--limit", "1MB/s")
"""So that a run is under way for as long as a test wants: two agents get 1 MiB at once, which takes them 2 s."""

SIZES = (0, 100, 40_000, 40_000, 40_000)
"""Under it: few files make 1 MiB, so that 500 take 12 s, and more are there after each 40."""


def make_source(
    folder: Path,
    *,
    files: int,
    sizes: tuple[int, ...] = (0, 1, 100, 5_000, 40_000),
    large: tuple[int, ...] = (),
    seed: int = 1,
    folders: int = 5,
) -> Path:
    """Files of ``sizes`` in ``folders`` folders of two levels, and ``large`` ones; the same for the same seed."""
    source = random.Random(seed)
    for number in range(files):
        place = folder / f"top{number % folders}" / f"sub{number % 7}"
        if number < 7 * folders:
            place.mkdir(parents=True, exist_ok=True)
        path = place / f"file-{number:06d}.dat"
        path.write_bytes(source.randbytes(source.choice(sizes)))
        os.utime(path, ns=(1_600_000_000_123_456_789 + number, 1_500_000_000_987_654_321 + number))
    folder.mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(large):
        with open(folder / f"large-{number}.bin", "wb") as file:
            block = source.randbytes(1 << 20)
            for start in range(0, size, 1 << 20):
                file.write(start.to_bytes(8, "big") + block[: min(1 << 20, size - start) - 8])
    return folder


def tree_of(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder: type, mode, owner, size, times (ns) and content or target; to compare two trees."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            content: Any = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        else:
            content = None
        times = () if path.is_symlink() else (status.st_mtime_ns,)
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_uid, status.st_gid, *times, content)
    return found
