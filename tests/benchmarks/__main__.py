"""``python -m tests.benchmarks [--quick] [--write] [NAME...]``: run benchmarks, print them, keep them."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.benchmarks.app import tui
from tests.benchmarks.backtest import backtest
from tests.benchmarks.downloads import large_from_seaweedfs, large_from_tls, listing, small_from_seaweedfs
from tests.benchmarks.files import files_large, files_small
from tests.benchmarks.inputs import inputs
from tests.benchmarks.limit import limit
from tests.benchmarks.paths import paths
from tests.benchmarks.report import sections_of, written
from tests.benchmarks.scale import first_byte_and_memory
from tests.benchmarks.section import Benchmark, Section, Settings
from tests.benchmarks.startup import startup
from tests.benchmarks.survey_bench import survey
from tests.benchmarks.tools import versions
from tests.benchmarks.transfers import (
    large_null,
    large_seaweedfs,
    large_tls,
    one_large_null,
    small_null,
    small_seaweedfs,
    small_tls,
    whole_null,
)
from tests.benchmarks.unchanged import unchanged
from tests.benchmarks.window import window

BENCHMARKS: dict[str, Benchmark] = {
    "small-null": small_null,
    "whole-null": whole_null,
    "large-null": large_null,
    "one-large-null": one_large_null,
    "small-tls": small_tls,
    "large-tls": large_tls,
    "small-seaweedfs": small_seaweedfs,
    "large-seaweedfs": large_seaweedfs,
    "limit": limit,
    "files-small": files_small,
    "files-large": files_large,
    "unchanged": unchanged,
    "window": window,
    "small-from-seaweedfs": small_from_seaweedfs,
    "large-from-seaweedfs": large_from_seaweedfs,
    "large-from-tls": large_from_tls,
    "listing": listing,
    "survey": survey,
    "scale": first_byte_and_memory,
    "startup": startup,
    "tui": tui,
    "paths": paths,
    "backtest": backtest,
}

_REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_MOST_BYTES = 4 * 1024**3  # of inputs at any one time

_HOW = """\
Made by `make bench ARGS=--write`, some sections on other days than others. Every tool works on the same files, from
memory where there is room, in turn and each round with another one first; figures are medians, lowest to highest in
brackets. CPU is user and system time of all processes of a tool, less what a run with a single small file takes; the
last column is with start and end. "While transferring" is what `xsync run` reports as `transfer_seconds`; for the
peers, which have next to no start, it is the whole command. Null S3 is nginx that answers all uploads and keeps none.

xsync sends POSIX metadata and a CRC64NVME with each object and keeps a journal. The peers are spared whatever they need
not do: `s5cmd --numworkers 64`, `rclone --transfers 32 --no-check-dest --ignore-checksum --s3-no-head`."""


def main() -> None:
    """Run what is asked for; with --write keep it as docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure xsync beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the files and one run: shows that it works")
    parser.add_argument(
        "--write", action="store_true", help=f"renew their sections of {_REPORT.name}; not with --quick"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if chosen.write and chosen.quick:
        parser.error("--write keeps what was measured in full: leave out --quick")
    sections = sections_of(_REPORT.read_text()) if _REPORT.exists() else {}
    print(_head(), flush=True)
    with inputs(_MOST_BYTES) as made, tempfile.TemporaryDirectory(prefix="xsync-bench-") as folder:
        for name in chosen.names or BENCHMARKS:
            sections[name] = _shown(BENCHMARKS[name](Settings(chosen.quick, Path(folder), made)))
            print(f"\n{sections[name]}", flush=True)
            if chosen.write:
                _REPORT.write_text(written(_head(), sections, list(BENCHMARKS)))


def _head() -> str:
    memory = psutil.virtual_memory().total / 1024**3
    machine = [
        f"{_cpu_model()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        ", ".join(f"{name} {version}" for name, version in versions().items()),
    ]
    return "\n\n".join(["# Benchmarks", "\n".join(f"- {line}" for line in machine), _HOW])


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _shown(section: Section) -> str:
    return f"## {section.title}\n\nMeasured {datetime.now(UTC):%Y-%m-%d}.\n\n{section.body}"


if __name__ == "__main__":
    main()
