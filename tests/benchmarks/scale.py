"""What may grow with the number of files and what must not: the time to the first byte, memory, journal, segments."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.null_s3 import null_s3
from tests.benchmarks.section import Section, Settings, Target, table, targets
from tests.benchmarks.tools import AGENTS, XSYNC, Endpoint, upload

_MB = 1e6
_FEW, _MANY = 100_000, 1_000_000
_FILE_BYTES = 0  # a million files with content would take 4 GB of memory; requests and rows are the same


class _Measured(NamedTuple):
    files: int
    first_byte_seconds: float
    transfer_seconds: float
    coordinator_bytes: int
    agent_bytes: int
    journal_bytes: int
    table_files: int
    table_bytes: int


def first_byte_and_memory(settings: Settings) -> Section:
    """From 100,000 to 1,000,000 files to null S3: seconds to the first PUT, memory, size of journal and catalog."""
    few, many = (_measure(settings, settings.count(files)) for files in (_FEW, _MANY))
    head = [
        "files",
        "first PUT after s",
        "files/s",
        "coordinator MB",
        "agent MB",
        "journal MB",
        "Parquet files",
        "Parquet MB",
    ]
    rows = [
        [
            f"{each.files:,}",
            f"{each.first_byte_seconds:.2f}",
            f"{each.files / each.transfer_seconds:,.0f}",
            f"{each.coordinator_bytes / _MB:.0f}",
            f"{each.agent_bytes / _MB:.0f}",
            f"{each.journal_bytes / _MB:.2f}",
            str(each.table_files),
            f"{each.table_bytes / _MB:.1f}",
        ]
        for each in (few, many)
    ]
    growth = (many.coordinator_bytes - few.coordinator_bytes) / _MB
    found = [
        Target(f"seconds to the first PUT with {many.files:,} files", many.first_byte_seconds, 3, at_most=True),
        Target("coordinator's growth, MB", growth, 100, at_most=True),
        Target("largest agent, MB", many.agent_bytes / _MB, 300, at_most=True),
    ]
    notes = (
        f"Empty files, {AGENTS} agents. The first PUT is when the endpoint answered it, counted from the start of the "
        "command. Memory is the highest resident size of a process. Journal and Parquet are what is left at the end. "
        f"The journal takes {many.journal_bytes / many.files:.2f} MB for a million files."
    )
    return Section(
        f"From {few.files:,} to {many.files:,} files", "\n\n".join([table(head, rows), targets(found), notes])
    )


def _measure(settings: Settings, files: int) -> _Measured:
    source = settings.inputs.small(files, _FILE_BYTES)
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    with null_s3(folder / "null", log=True) as server:
        endpoint = Endpoint(server.endpoint_url, "null", "null", "us-east-1", "bench")
        run = upload(XSYNC, source, files, endpoint, folder / "home", memory=True)
    tables = list((folder / "home").rglob("*.parquet"))
    measured = _Measured(
        files=files,
        first_byte_seconds=server.first_put_at() - run.usage.started_at,
        transfer_seconds=run.transfer_seconds,
        coordinator_bytes=run.usage.coordinator_bytes,
        agent_bytes=run.usage.agent_bytes,
        journal_bytes=sum(path.stat().st_size for path in (folder / "home").rglob("journal.sqlite*")),
        table_files=len(tables),
        table_bytes=sum(path.stat().st_size for path in tables),
    )
    shutil.rmtree(folder)
    settings.inputs.drop(source)
    return measured
