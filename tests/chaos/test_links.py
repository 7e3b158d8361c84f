"""Kill runner and agents while files with several names are copied and linked: none is lost, counted twice or split."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from engine.model import Snapshot
from tests.chaos.test_kill import adds_up, kill_agents, kill_runner, wait_for_more
from tests.support import SLOW, Finished, Xsync, ended

GROUPS, NAMES, SINGLE = 600, 3, 300


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


def make_links(folder: Path) -> Path:
    """Groups of names in different folders, and files with one name between them."""
    chance = random.Random(3)
    for place in range(NAMES):
        (folder / f"place{place}" / "sub").mkdir(parents=True)
    for number in range(GROUPS):
        first = folder / "place0" / f"{chance.randrange(10**9):09d}-{number}"
        first.write_bytes(chance.randbytes(chance.choice((0, 10, 40_000))))
        for place in range(1, NAMES):
            os.link(first, folder / f"place{place}" / "sub" / f"{chance.randrange(10**9):09d}-{number}")
    for number in range(SINGLE):
        (folder / f"place{number % NAMES}" / f"single-{number}").write_bytes(b"s" * number)
    return folder


def groups_of(folder: Path) -> set[frozenset[str]]:
    """The sets of names below a folder that are one file."""
    found: dict[int, set[str]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            found.setdefault(path.stat().st_ino, set()).add(str(path.relative_to(folder)))
    return set(map(frozenset, found.values()))


def holds(snapshot: Snapshot) -> None:
    files = snapshot.totals.files
    assert files.pending >= 0, files
    assert files.transferred <= GROUPS * NAMES + SINGLE, files


def is_complete(done: Finished, source: Path, target: Path) -> None:
    assert done.code == 0, (done.errors, done.lines[-1:])
    adds_up(done)
    files = done.result["files"]
    assert files["discovered"] == GROUPS * NAMES + SINGLE
    assert files["transferred"] + files["skipped"] == GROUPS * NAMES + SINGLE  # skipped: linked, but not recorded
    assert groups_of(target) == groups_of(source)
    for path in source.rglob("*"):
        if path.is_file():
            assert (target / path.relative_to(source)).read_bytes() == path.read_bytes()


def test_links_survive_a_killed_runner(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_links(tmp_path / "source"), tmp_path / "target"
    chance = random.Random(11)
    again: list[str | Path] = ["run", source, target, "--agents", "2", *SLOW]
    left = None
    for _ in range(4):
        with ended(xsync.start(*again)) as process:
            snapshot = wait_for_more(xsync, left)
            holds(snapshot)
            time.sleep(chance.uniform(0, 0.1))
            left = kill_runner(xsync, process, snapshot)
        again = ["resume", snapshot.execution]
    is_complete(xsync.run("run", source, target, "--agents", "2"), source, target)


def test_links_survive_killed_agents(xsync: Xsync, tmp_path: Path) -> None:
    source, target = make_links(tmp_path / "source"), tmp_path / "target"
    with ended(xsync.start("run", source, target, "--agents", "2", *SLOW)) as process:
        kill_agents(xsync, 4)
        xsync.lift_limit()
        is_complete(xsync.finish(process), source, target)


def test_a_resume_links_to_what_was_copied_before_the_crash(xsync: Xsync, tmp_path: Path) -> None:
    source = make_links(tmp_path / "source")
    target = tmp_path / "target"
    with ended(xsync.start("run", source, target, "--agents", "1")) as process:
        snapshot = xsync.wait_for_files(SINGLE + GROUPS + 1)  # leaders come before the others
        kill_runner(xsync, process, snapshot)
    done = xsync.run("resume", xsync.executions()[-1])
    assert done.code == 0, (done.errors, done.lines[-1:])
    adds_up(done)
    assert groups_of(target) == groups_of(source)
    files = done.result["files"]
    assert files["transferred"] + files["skipped"] == GROUPS * NAMES + SINGLE
