"""Uploads beside the peers: many small files and a few large ones, to a null S3 endpoint and to SeaweedFS."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from statistics import median

from tests.benchmarks.null_s3 import null_s3
from tests.benchmarks.section import MIB, Section, Settings, Target, middle, table, targets
from tests.benchmarks.tools import AGENTS, RCLONE, S5CMD, TOOLS, XSYNC, Endpoint, Run, upload
from tests.certificates import self_signed
from xsync_tui.demo.server import s3_client, s3_server

_BUCKET = "bench"
_SMALL_BYTES = 16 * 1024
_RUNS = 5

Runs = dict[str, list[Run]]

Starts = dict[str, float]
"""Tool -> CPU seconds of a command that uploads one small file: what it costs to start and to end."""


def small_null(settings: Settings) -> Section:
    """20,000 files of 16 KiB to null S3."""
    files = settings.count(20_000)
    starts = _starts(settings)
    runs = _compare(settings, settings.inputs.small(files, _SMALL_BYTES), files, null_endpoint)
    found = [
        Target("files/s while transferring, to s5cmd", _speed(runs, S5CMD.name), 1.6),
        Target("files/s while transferring, to rclone", _speed(runs, RCLONE.name), 1.4),
        Target("CPU seconds a file while transferring, to s5cmd", _cpu(runs, S5CMD.name, starts), 0.75, at_most=True),
    ]
    return Section(f"{files:,} x 16 KiB to null S3", _small_table(runs, files, starts) + "\n\n" + targets(found))


def whole_null(settings: Settings) -> Section:
    """60,000 files of 16 KiB to null S3: the whole command, its start included."""
    files = settings.count(60_000)
    starts = _starts(settings)
    source = settings.inputs.small(files, _SMALL_BYTES)
    runs = _compare(settings, source, files, null_endpoint, most_runs=3)
    settings.inputs.drop(source)
    found = [
        Target("whole command, files/s to s5cmd", _whole(runs, S5CMD.name), 1.0),
        Target("whole command, files/s to rclone", _whole(runs, RCLONE.name), 1.0),
    ]
    shown = _small_table(runs, files, starts) + "\n\n" + targets(found)
    return Section(f"{files:,} x 16 KiB to null S3, whole command", shown)


def large_null(settings: Settings) -> Section:
    """3 files of 1 GiB to null S3."""
    size = (128 if settings.quick else 1_024) * MIB
    starts = _starts(settings)
    source = settings.inputs.large(3, size)
    runs = _compare(settings, source, 3, null_endpoint, most_runs=3)
    settings.inputs.drop(source)
    found = [
        Target("bytes/s while transferring, to s5cmd", _speed(runs, S5CMD.name), 1.6),
        Target("bytes/s while transferring, to rclone", _speed(runs, RCLONE.name), 3.0),
        Target("CPU seconds while transferring, to s5cmd", _cpu(runs, S5CMD.name, starts), 0.55, at_most=True),
    ]
    return Section(
        f"3 x {size // MIB:,} MiB to null S3", _large_table(runs, 3 * size, starts) + "\n\n" + targets(found)
    )


def one_large_null(settings: Settings) -> Section:
    """One file of 4 GiB to null S3, beside 3 of 1 GiB: how well its parts spread over the agents."""
    size = (128 if settings.quick else 1_024) * MIB
    rates: dict[int, list[float]] = {1: [], 3: []}
    sizes = {1: 4 * size, 3: size}
    for _ in range(settings.runs(3)):
        for count in rates:
            source = settings.inputs.large(count, sizes[count])
            folder = Path(tempfile.mkdtemp(dir=settings.folder))
            with null_endpoint(folder) as endpoint:
                run = upload(XSYNC, source, count, endpoint, folder / "home")
            rates[count].append(count * sizes[count] / run.transfer_seconds / 1e6)
            settings.inputs.drop(source)
            shutil.rmtree(folder)
    rows = [[f"{count} x {sizes[count] // MIB:,} MiB", middle(found)] for count, found in rates.items()]
    found = [Target("MB/s of the one file to those of three", median(rates[1]) / median(rates[3]), 0.9)]
    shown = table(["files", "MB/s while transferring"], rows)
    return Section(f"One file of {sizes[1] // MIB:,} MiB, {AGENTS} agents", f"{shown}\n\n{targets(found)}")


def small_tls(settings: Settings) -> Section:
    """20,000 files of 16 KiB to null S3 over TLS."""
    files = settings.count(20_000)
    starts = _starts(settings)
    source = settings.inputs.small(files, _SMALL_BYTES)
    runs = _compare(settings, source, files, tls_endpoint, most_runs=3)
    found = _ahead(runs, starts, "files/s")
    shown = _small_table(runs, files, starts) + "\n\n" + targets(found)
    return Section(f"{files:,} x 16 KiB to null S3 over TLS", shown)


def large_tls(settings: Settings) -> Section:
    """3 files of 1 GiB to null S3 over TLS."""
    size = (128 if settings.quick else 1_024) * MIB
    starts = _starts(settings)
    source = settings.inputs.large(3, size)
    runs = _compare(settings, source, 3, tls_endpoint, most_runs=3)
    settings.inputs.drop(source)
    shown = _large_table(runs, 3 * size, starts) + "\n\n" + targets(_ahead(runs, starts, "bytes/s"))
    return Section(f"3 x {size // MIB:,} MiB to null S3 over TLS", shown)


def small_seaweedfs(settings: Settings) -> Section:
    """20,000 files of 16 KiB to SeaweedFS."""
    files = settings.count(20_000)
    starts = _starts(settings)
    runs = _compare(settings, settings.inputs.small(files, _SMALL_BYTES), files, seaweedfs_endpoint, most_runs=3)
    return Section(f"{files:,} x 16 KiB to SeaweedFS", _small_table(runs, files, starts) + "\n\n" + _SHARED)


def large_seaweedfs(settings: Settings) -> Section:
    """3 files of 1 GiB to SeaweedFS."""
    size = (128 if settings.quick else 1_024) * MIB
    source = settings.inputs.large(3, size)
    starts = _starts(settings)
    runs = _compare(settings, source, 3, seaweedfs_endpoint, most_runs=2)
    settings.inputs.drop(source)
    return Section(f"3 x {size // MIB:,} MiB to SeaweedFS", _large_table(runs, 3 * size, starts) + "\n\n" + _SHARED)


_SHARED = (
    "Client and server share this machine, a new server for each run: the server takes most of its time, so that rates "
    "come close to each other. CPU is the client's alone."
)


@contextmanager
def null_endpoint(folder: Path, *, delay_seconds: float = 0.0) -> Iterator[Endpoint]:
    """An endpoint that keeps nothing, and answers ``delay_seconds`` late."""
    with null_s3(folder / "null", delay_seconds=delay_seconds) as server:
        yield Endpoint(server.endpoint_url, "null", "null", "us-east-1", _BUCKET)


@contextmanager
def tls_endpoint(folder: Path) -> Iterator[Endpoint]:
    """An endpoint that keeps nothing, as the real ones are: with a certificate."""
    folder.mkdir(exist_ok=True)
    certificate = self_signed(folder)
    with null_s3(folder / "null", certificate=certificate) as server:
        yield Endpoint(server.endpoint_url, "null", "null", "us-east-1", _BUCKET, certificate)


@contextmanager
def seaweedfs_endpoint(folder: Path) -> Iterator[Endpoint]:
    """A new SeaweedFS with an empty bucket."""
    with s3_server(folder / "seaweedfs") as server:
        with closing(s3_client(server)) as client:
            client.create_bucket(Bucket=_BUCKET)
        yield Endpoint(server.endpoint_url, server.access_key, server.secret_key, server.region, _BUCKET)


def _compare(
    settings: Settings,
    source: Path,
    files: int,
    endpoint: Callable[[Path], AbstractContextManager[Endpoint]],
    most_runs: int = _RUNS,
) -> Runs:
    """Upload ``source`` with every tool in turn, several rounds of it, each with another one first."""
    runs: Runs = {tool.name: [] for tool in TOOLS}
    for turn in range(settings.runs(most_runs)):
        for tool in TOOLS[turn % len(TOOLS) :] + TOOLS[: turn % len(TOOLS)]:
            folder = Path(tempfile.mkdtemp(dir=settings.folder))
            with endpoint(folder) as target:
                runs[tool.name].append(upload(tool, source, files, target, folder / "home"))
            shutil.rmtree(folder)
    return runs


def _starts(settings: Settings) -> Starts:
    """What each tool costs without work."""
    runs = _compare(settings, settings.inputs.small(1, _SMALL_BYTES), 1, null_endpoint, most_runs=3)
    return {name: median(run.usage.cpu_seconds for run in done) for name, done in runs.items()}


def _small_table(runs: Runs, files: int, starts: Starts) -> str:
    rows = [
        [
            _label(name),
            middle([files / run.transfer_seconds for run in done]),
            middle([files / run.usage.wall_seconds for run in done]),
            middle([(run.usage.cpu_seconds - starts[name]) / files * 1e6 for run in done]),
            middle([run.usage.cpu_seconds / files * 1e6 for run in done]),
        ]
        for name, done in runs.items()
    ]
    head = ["tool", "files/s while transferring", "files/s, whole command", "CPU us a file", "with start and end"]
    return table(head, rows)


def _large_table(runs: Runs, size: int, starts: Starts) -> str:
    rows = [
        [
            _label(name),
            middle([size / run.transfer_seconds / 1e6 for run in done]),
            middle([size / run.usage.wall_seconds / 1e6 for run in done]),
            middle([run.usage.cpu_seconds - starts[name] for run in done], ".1f"),
            middle([run.usage.cpu_seconds for run in done], ".1f"),
        ]
        for name, done in runs.items()
    ]
    return table(["tool", "MB/s while transferring", "MB/s, whole command", "CPU s", "with start and end"], rows)


def _label(name: str) -> str:
    return f"{name}, {AGENTS} agents" if name == XSYNC.name else name


def _speed(runs: Runs, peer: str) -> float:
    mine, theirs = (median(run.transfer_seconds for run in runs[name]) for name in (XSYNC.name, peer))
    return theirs / mine


def _ahead(runs: Runs, starts: Starts, rate: str) -> list[Target]:
    """Ahead of both peers, in rate and in CPU."""
    peers = (S5CMD.name, RCLONE.name)
    return [
        *(Target(f"{rate} while transferring, to {peer}", _speed(runs, peer), 1.0) for peer in peers),
        *(Target(f"CPU while transferring, to {peer}", _cpu(runs, peer, starts), 1.0, at_most=True) for peer in peers),
    ]


def _whole(runs: Runs, peer: str) -> float:
    mine, theirs = (median(run.usage.wall_seconds for run in runs[name]) for name in (XSYNC.name, peer))
    return theirs / mine


def _cpu(runs: Runs, peer: str, starts: Starts) -> float:
    mine, theirs = (median(run.usage.cpu_seconds for run in runs[name]) - starts[name] for name in (XSYNC.name, peer))
    return mine / theirs
