"""Entries a second of ``xsync survey``, two processes, beside ``find -printf`` and ``rclone size`` on the same tree.

``python -m tests.benchmarks.survey_bench [FOLDER] [RUNS]`` prints a Markdown table and one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from tests.benchmarks.section import Section, Settings, Target, middle, table, targets
from tests.benchmarks.tools import program

PROCESSES = 2
RUNS = 9
FOLDER = "/usr"
MILLION = 1_000_000
MILLION_RUNS = 3
FIND, RCLONE, XSYNC = "find -printf", "rclone size", "xsync survey"
WANTED = {FIND: 1.2, RCLONE: 2.5}
"""How many times as fast as each peer a survey is to be, in entries/s while scanning."""


class Run(NamedTuple):
    """Seconds of the scan, and of the whole command."""

    scan: float
    command: float


class Result(NamedTuple):
    """Entries in the tree, and the runs of each contestant."""

    entries: int
    runs: dict[str, list[Run]]


def survey(settings: Settings) -> Section:
    """Survey FOLDER, and small files in memory, a million of them; runs take turns."""
    bodies = [_body(FOLDER, measure(FOLDER, settings.runs(RUNS)))]
    made = settings.inputs.small(settings.count(MILLION), 10)
    bodies.append(_body("Files made for it, 1,000 to a folder", measure(str(made), settings.runs(MILLION_RUNS))))
    settings.inputs.drop(made)
    return Section("Survey", "\n\n".join(bodies))


def measure(folder: str, runs: int) -> Result:
    """Run the contestants in turns, and once before that to fill the caches."""
    printed = subprocess.run(["find", folder, "-printf", "x"], capture_output=True, check=True).stdout
    contestants: dict[str, Callable[[], Run]] = {
        XSYNC: lambda: _survey(folder),
        FIND: lambda: _timed(["find", folder, "-printf", r"%s %T@ %i %y %p\0"]),
        RCLONE: lambda: _timed([program("rclone"), "size", "--config", "", folder]),
    }
    found: dict[str, list[Run]] = {name: [] for name in contestants}
    for turn in range(runs + 1):
        for name, contestant in contestants.items():
            run = contestant()
            if turn:
                found[name].append(run)
    return Result(len(printed), found)


def _survey(folder: str) -> Run:
    with tempfile.TemporaryDirectory(prefix="xsync-bench-") as home:
        command = [program("xsync"), "survey", folder, "--processes", str(PROCESSES), "--json"]
        started = time.perf_counter()
        done = subprocess.run(command, env=os.environ | {"XSYNC_HOME": home}, capture_output=True, check=True)
        return Run(json.loads(done.stdout)["seconds"], time.perf_counter() - started)


def _timed(command: Sequence[str]) -> Run:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - started
    return Run(seconds, seconds)


def _body(tree: str, result: Result) -> str:
    rows = [
        [
            f"`{name}`",
            middle([result.entries / run.scan for run in runs]),
            middle([run.command for run in runs], ".2f"),
        ]
        for name, runs in result.runs.items()
    ]
    text = (
        f"{tree}, {result.entries:,} entries, all in the page cache. xsync writes them into a catalog while "
        "it scans; its rate is until the last folder is listed. The command adds the start of the processes, the last "
        "rows and their sync to disk (about 10 ms), and the statistics."
    )
    figures = table(["", "entries/s while scanning", "whole command, s"], rows)
    return "\n\n".join([text, figures, targets(_ratios(result))])


def _ratios(result: Result) -> list[Target]:
    seconds = {name: median(run.scan for run in runs) for name, runs in result.runs.items()}
    return [
        Target(f"entries/s of the survey to `{peer}`", seconds[peer] / seconds[XSYNC], wanted)
        for peer, wanted in WANTED.items()
    ]


def _main(folder: str = FOLDER, runs: str = str(RUNS)) -> None:
    result = measure(folder, int(runs))
    print(_body(folder, result))
    print(json.dumps({"folder": folder, "entries": result.entries, "runs": result.runs}))


if __name__ == "__main__":
    _main(*sys.argv[1:3])
