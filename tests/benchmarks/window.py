"""The self-tuned number of requests in flight beside fixed ones: near by, on SeaweedFS, and 50 ms away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from statistics import median

from tests.benchmarks.section import Section, Settings, Target, middle, table, targets
from tests.benchmarks.tools import AGENTS, RCLONE, S5CMD, Endpoint, Tool, environment, upload
from tests.benchmarks.transfers import null_endpoint, seaweedfs_endpoint

_LADDER = (16, 64, 250)
_FILE_BYTES = 16 * 1024
_DELAY_SECONDS = 0.05
_TUNED = 0
_PEER_SETTINGS = (128, 256, 512)  # 64 get at most 64 / 50 ms = 1,280 files/s
_LEAST_FILES_PER_SECOND = 2_500

EndpointAt = Callable[[Path], AbstractContextManager[Endpoint]]


def window(settings: Settings) -> Section:
    """Files per second of two agents with every setting of a ladder, and with the one they find by themselves."""
    files = settings.count(20_000)
    source = settings.inputs.small(files, _FILE_BYTES)
    places: dict[str, tuple[EndpointAt, int]] = {
        "null S3": (null_endpoint, settings.runs(3)),
        "SeaweedFS": (seaweedfs_endpoint, 1),
        "null S3, 50 ms": (_far_endpoint, 1),
    }
    rates = {name: _ladder(settings, source, files, *place) for name, place in places.items()}
    rows = [[name, *(middle(found[size]) for size in _LADDER), middle(found[_TUNED])] for name, found in rates.items()]
    found = [Target(f"tuned to the best fixed window, {name}", _to_best(of), 0.9) for name, of in rates.items()]
    tuned = median(rates["null S3, 50 ms"][_TUNED])
    peers = {tool.name: _best_of_peer(settings, source, files, tool) for tool in (S5CMD, RCLONE)}
    found += [Target(f"files/s 50 ms away, to {name} at its best", tuned / rate, 1.0) for name, rate in peers.items()]
    found.append(Target("files/s 50 ms away", tuned, _LEAST_FILES_PER_SECOND))
    head = ["files/s of two agents", *(f"{size} in flight" for size in _LADDER), "tuned"]
    notes = (
        f"{files:,} x 16 KiB, {AGENTS} agents without a runner; runs: "
        + ", ".join(f"{name} {runs}" for name, (_, runs) in places.items())
        + ", each round another one first. Peers 50 ms away, at the "
        f"best of {', '.join(map(str, _PEER_SETTINGS))}: "
        + ", ".join(f"{name} {rate:,.0f} files/s" for name, rate in peers.items())
        + "."
    )
    return Section("How many requests in flight", "\n\n".join([table(head, rows), targets(found), notes]))


def _to_best(found: dict[int, list[float]]) -> float:
    return median(found[_TUNED]) / max(median(found[size]) for size in _LADDER)


def _ladder(settings: Settings, source: Path, files: int, at: EndpointAt, runs: int) -> dict[int, list[float]]:
    sizes = [*_LADDER, _TUNED]
    rates: dict[int, list[float]] = {size: [] for size in sizes}
    for turn in range(runs):
        for size in sizes[turn % len(sizes) :] + sizes[: turn % len(sizes)]:
            folder = Path(tempfile.mkdtemp(dir=settings.folder))
            with at(folder) as endpoint:
                rates[size].append(files / _seconds(source, endpoint, size, folder / "home"))
            shutil.rmtree(folder)
    return rates


def _seconds(source: Path, endpoint: Endpoint, size: int, home: Path) -> float:
    """How long the agents take together, without their start."""
    program = [sys.executable, "-m", "tests.benchmarks.one_agent", str(source), endpoint.url, endpoint.bucket]
    agents = [
        subprocess.Popen(
            [*program, str(number), str(AGENTS), str(size)],
            env=dict(environment(endpoint, home)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(AGENTS)
    ]
    for agent in agents:
        assert agent.stdout is not None and agent.stdin is not None
        assert agent.stdout.readline() == "ready\n"
    for agent in agents:
        assert agent.stdin is not None
        agent.stdin.write("go\n")
        agent.stdin.flush()
    times = [json.loads(agent.communicate()[0]) for agent in agents]
    return float(max(end for _, end in times) - min(begin for begin, _ in times))


def _best_of_peer(settings: Settings, source: Path, files: int, tool: Tool) -> float:
    rates = []
    for setting in _PEER_SETTINGS:
        folder = Path(tempfile.mkdtemp(dir=settings.folder))
        peer = tool._replace(command=partial(_with_setting, tool, setting))
        with _far_endpoint(folder) as endpoint:
            rates.append(files / upload(peer, source, files, endpoint, folder / "home").transfer_seconds)
        shutil.rmtree(folder)
    return max(rates)


def _with_setting(tool: Tool, setting: int, source: Path, destination: str, url: str) -> list[str]:
    command = tool.command(source, destination, url)
    option = "--numworkers" if tool is S5CMD else "--transfers"
    command[command.index(option) + 1] = str(setting)
    return command


def _far_endpoint(folder: Path) -> AbstractContextManager[Endpoint]:
    return null_endpoint(folder, delay_seconds=_DELAY_SECONDS)
