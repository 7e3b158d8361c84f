"""A run when nothing has changed: what is known is compared, and the destination is not listed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.benchmarks.measure import Usage, measure
from tests.benchmarks.section import Section, Settings, Target, table, targets
from tests.benchmarks.tools import AGENTS, RCLONE, S5CMD, XSYNC, Endpoint, environment, program, upload
from tests.benchmarks.transfers import null_endpoint, seaweedfs_endpoint
from tests.support import Xsync

_MB = 1e6
_OURS, _THEIRS = 1_000_000, 100_000


def unchanged(settings: Settings) -> Section:
    """1,000,000 unchanged files to S3, beside s5cmd and rclone sync with 100,000."""
    ours, theirs = settings.count(_OURS), settings.count(_THEIRS)
    mine = _xsync(settings, ours)
    peers = _peers(settings, theirs)
    factor = ours / theirs
    rows = [["xsync", f"{ours:,}", f"{mine.wall_seconds:.1f}", f"{mine.cpu_seconds:.1f}"]]
    rows += [
        [f"{name} sync", f"{theirs:,}", f"{usage.wall_seconds:.1f}", f"{usage.cpu_seconds:.1f}"]
        for name, usage in peers.items()
    ]
    found = [
        Target(f"files/s to {name} sync", peers[name].wall_seconds * factor / mine.wall_seconds, wanted)
        for name, wanted in ((S5CMD.name, 10), (RCLONE.name, 20))
    ]
    found.append(Target("coordinator MB", mine.coordinator_bytes / _MB, 400, at_most=True))
    notes = (
        f"Empty files. xsync, {AGENTS} agents, compares with what it has recorded; the peers list SeaweedFS, and "
        "rclone asks for the metadata of each object, as it does unless told otherwise. Whole commands."
    )
    head = ["tool", "files", "s", "CPU s"]
    return Section(f"Nothing changed, {ours:,} files", "\n\n".join([table(head, rows), targets(found), notes]))


def _xsync(settings: Settings, files: int) -> Usage:
    source = settings.inputs.small(files, 0)
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    with null_endpoint(folder) as endpoint:
        upload(XSYNC, source, files, endpoint, folder / "home")
        Xsync(folder / "home").settle()  # a nightly run is about files that were left alone
        command = XSYNC.command(source, f"{endpoint.bucket}/{XSYNC.name}", endpoint.url)
        usage = measure(command, environment(endpoint, folder / "home"), memory=True)
    shutil.rmtree(folder)
    settings.inputs.drop(source)
    return usage


def _peers(settings: Settings, files: int) -> dict[str, Usage]:
    source = settings.inputs.small(files, 0)
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    usages = {}
    with seaweedfs_endpoint(folder) as endpoint:
        upload(RCLONE, source, files, endpoint, folder / "home")
        where = f"{endpoint.bucket}/{RCLONE.name}"
        for name, command in _sync_commands(source, where, endpoint).items():
            usages[name] = measure(command, environment(endpoint, folder / "home"))
    shutil.rmtree(folder)
    settings.inputs.drop(source)
    return usages


def _sync_commands(source: Path, where: str, endpoint: Endpoint) -> dict[str, list[str]]:
    rclone = RCLONE.command(source, where, endpoint.url)
    rclone[rclone.index("copy")] = "sync"
    kept = [word for word in rclone if word != "--no-check-dest"]
    return {
        S5CMD.name: [
            *(program("s5cmd"), "--endpoint-url", endpoint.url, "--log", "error"),
            *("sync", f"{source}/", f"s3://{where}/"),
        ],
        RCLONE.name: kept,
    }
