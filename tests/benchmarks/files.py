"""Copies between folders of one file system beside rsync and rclone: many small files and two large ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.measure import Usage, measure
from tests.benchmarks.section import MIB, Section, Settings, Target, middle, table, targets
from tests.benchmarks.tools import AGENTS, program, xsync_result

_RUNS = 3


class _Copier(NamedTuple):
    name: str
    command: Callable[[Path, Path], list[str]]


def _xsync(source: Path, target: Path) -> list[str]:
    return [program("xsync"), "run", str(source), str(target), "--agents", str(AGENTS), "--json"]


def _rsync(source: Path, target: Path) -> list[str]:
    return [program("rsync"), "-a", f"{source}/", str(target)]


def _rclone(source: Path, target: Path) -> list[str]:
    return [program("rclone"), "copy", "--config", os.devnull, "--transfers", "8", str(source), str(target)]


_COPIERS = (_Copier("xsync", _xsync), _Copier("rsync", _rsync), _Copier("rclone", _rclone))


class _Done(NamedTuple):
    usage: Usage
    transfer_seconds: float


def files_small(settings: Settings) -> Section:
    """10,000 files of 64 KiB from folder to folder."""
    count = settings.count(10_000)
    return _section(settings, settings.inputs.small(count, 64 * 1024), count, f"{count:,} x 64 KiB")


def files_large(settings: Settings) -> Section:
    """2 files of 2 GiB from folder to folder."""
    size = (128 if settings.quick else 2_048) * MIB
    return _section(settings, settings.inputs.large(2, size), 2, f"2 x {size // MIB:,} MiB")


def _section(settings: Settings, source: Path, count: int, what: str) -> Section:
    runs: dict[str, list[_Done]] = {copier.name: [] for copier in _COPIERS}
    for turn in range(settings.runs(_RUNS)):
        for copier in _COPIERS[turn % len(_COPIERS) :] + _COPIERS[: turn % len(_COPIERS)]:
            runs[copier.name].append(_copy(copier, source, count))
    settings.inputs.drop(source)
    rows = [
        [
            name,
            middle([run.transfer_seconds for run in done], ".2f"),
            middle([run.usage.wall_seconds for run in done], ".2f"),
            middle([run.usage.cpu_seconds for run in done], ".2f"),
        ]
        for name, done in runs.items()
    ]
    what_of = "seconds, {} to xsync while transferring"
    found = [Target(what_of.format(peer), _ratio(runs, peer), 1.0) for peer in ("rsync", "rclone")]
    head = ["tool", "s while transferring", "s, whole command", "CPU s"]
    return Section(f"{what} on one file system", "\n\n".join([table(head, rows), targets(found), _NOTES]))


_NOTES = (
    "From memory to memory where there is room. xsync computes a CRC64NVME of each file, syncs, and reads the copy "
    "back before it gives it its name; the others do none of that."
)


def _ratio(runs: dict[str, list[_Done]], peer: str) -> float:
    def middle_of(name: str) -> float:
        times = sorted(run.transfer_seconds for run in runs[name])
        return times[len(times) // 2]

    return middle_of(peer) / middle_of("xsync")


def _copy(copier: _Copier, source: Path, count: int) -> _Done:
    """Copy ``source`` beside itself, on its own file system."""
    folder = Path(tempfile.mkdtemp(dir=source.parent))
    environment = {**os.environ, "XSYNC_HOME": str(folder / "home")}
    usage = measure(copier.command(source, folder / "target"), environment)
    result: dict[str, Any] = xsync_result(usage, count) if copier.name == "xsync" else {}
    shutil.rmtree(folder)
    return _Done(usage, result.get("transfer_seconds", usage.wall_seconds))
