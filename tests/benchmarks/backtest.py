"""What xsync foretells against what it takes: runs of unlike sizes and shapes, after others that taught it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

from engine.execution.comparing.drift import count_run
from tests.benchmarks.section import MIB, Section, Settings, Target, table, targets
from tests.benchmarks.tools import AGENTS, Endpoint, environment, program
from tests.benchmarks.transfers import null_endpoint
from tests.support import Xsync


class Shape(NamedTuple):
    """A folder of the source: so many files of each size in bytes, so many in a folder, at a depth."""

    name: str
    files: tuple[tuple[int, int], ...]
    per_folder: int = 1_000
    depth: int = 1


_TEACH = (
    Shape("teach-small", ((30_000, 4_096),)),
    Shape("teach-large", ((24, 64 * MIB),)),
    Shape("teach-mixed", ((12_000, 20_000), (12, 48 * MIB))),
)

_TEST = (
    Shape("tiny", ((80_000, 1_000),)),
    Shape("small", ((40_000, 16_384),)),
    Shape("mixed", ((30_000, 30_000), (800, 500_000), (10, 64 * MIB))),
    Shape("medium", ((2_500, 800_000),)),
    Shape("huge", ((2, 1_024 * MIB),)),
    Shape("large", ((40, 48 * MIB),)),
    Shape("deep", ((40_000, 8_192),), per_folder=10, depth=8),
    Shape("flat", ((60_000, 6_000),), per_folder=100_000),
    Shape("skewed", ((40_000, 500), (1, 1_536 * MIB))),
    Shape("half", ((18_000, 100_000),)),
)

_PASSES = 5
_TEACHING_PASSES = 2
"""Incremental passes of ``mixed``: the first two teach how much changes in how long, the others are foretold."""


def backtest(settings: Settings) -> Section:
    """Three runs teach; ten first runs and three incremental ones are foretold."""
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    source = settings.inputs.beside("backtest")
    with null_endpoint(folder) as endpoint:
        came = list(_runs(settings, source, endpoint, folder / "home"))
    shutil.rmtree(folder)
    shutil.rmtree(source)
    rows = [
        [
            name,
            f"{said['files']:,}",
            f"{said['bytes'] / 1e6:,.0f}",
            f"{said['seconds']['low']:.1f} to {said['seconds']['high']:.1f}",
            f"{said['seconds']['likely']:.1f}",
            f"{said['took_seconds']:.1f}",
            f"{said['error']:+.0%}",
            "yes" if said["inside"] else "no",
        ]
        for name, said in came
    ]
    errors = [abs(said["error"]) for _, said in came]
    inside = sum(said["inside"] for _, said in came) / len(came)
    found = [
        Target("median error", median(errors), 0.10, at_most=True),
        Target("share of runs inside the range", inside, 0.9),
    ]
    notes = (
        f"To null S3 with {AGENTS} agents, whole commands. The survey counts; three runs before, of small files, large "
        "ones and both, and all that came after teach files/s, bytes/s and what a run takes beside. Errors are of the "
        "likely value."
    )
    head = ["run", "files", "MB", "foretold s", "likely", "took", "error", "inside"]
    body = [table(head, rows), targets(found), notes]
    return Section("Foretold and taken", "\n\n".join(body))


def _runs(settings: Settings, source: Path, endpoint: Endpoint, home: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, shape in enumerate((*_TEACH, *_TEST)):
        _make(source / shape.name, shape, settings, seed=number)
    variables = environment(endpoint, home)
    _call(variables, "survey", str(source))
    for shape in _TEACH:
        _run(variables, source, endpoint, shape.name)
    for shape in _TEST:
        yield shape.name, _run(variables, source, endpoint, shape.name, home)
    for number in range(_PASSES):
        Xsync(home).settle()
        _change(source / "mixed", seed=number, share=0.2)
        came = _run(variables, source, endpoint, "mixed", home)
        if number >= _TEACHING_PASSES:
            yield f"mixed, changed {number + 1}", came


def _run(
    variables: Mapping[str, str], source: Path, endpoint: Endpoint, folder: str, home: Path | None = None
) -> dict[str, Any]:
    for state in home.glob("state/*/") if home else ():
        count_run(state, listed=True)  # null S3 lists nothing: what it was given would count as lost
    _call(
        variables,
        *("run", str(source), f"s3://{endpoint.bucket}/backtest", "--include", f"/{folder}"),
        *("--endpoint-url", endpoint.url, "--agents", str(AGENTS)),
    )
    if home is None:
        return {}
    report = json.loads((Xsync(home).folder() / "report.json").read_text())
    found: dict[str, Any] = report["estimate"] or {}
    return found


def _call(variables: Mapping[str, str], *arguments: str) -> None:
    command = [program("xsync"), *arguments, "--json"]
    subprocess.run(command, env=variables, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _make(folder: Path, shape: Shape, settings: Settings, seed: int) -> None:
    block = Random(seed).randbytes(MIB)
    number = 0
    for count, size in shape.files:
        for _ in range(max(1, settings.count(count))):
            place = number // shape.per_folder
            below = folder.joinpath(*(f"{(place >> level) % 7}" for level in range(shape.depth - 1)), f"{place:05d}")
            below.mkdir(parents=True, exist_ok=True)
            with open(below / f"{number:06d}.bin", "wb", buffering=0) as file:
                for start in range(0, size, MIB):
                    file.write((number.to_bytes(8, "big") + block[8:])[: min(MIB, size - start)])
            number += 1


def _change(folder: Path, seed: int, share: float) -> None:
    """Write some of the files anew."""
    chosen = Random(seed)
    for path in sorted(folder.rglob("*.bin")):
        if path.stat().st_size < MIB and chosen.random() < share:
            path.write_bytes(chosen.randbytes(path.stat().st_size))
