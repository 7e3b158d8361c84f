"""Runs that delete, and what became of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from engine.execution.comparing import removing
from engine.home import find_home, list_execution_folders
from engine.model import LocationSpec, Migration, Snapshot, Status, TransferOptions
from tests.in_process import run_in_process

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REMOVE = TransferOptions(preserve_deleted_files="REMOVE", max_deletion_share=1.0)


def run(
    source: Path, target: Path | LocationSpec, options: TransferOptions = REMOVE, *, ends: bool = True, **changes: Any
) -> Snapshot:
    """Run to the end; ``ends``: nothing may be left to do."""
    place = target if isinstance(target, LocationSpec) else LocationSpec(str(target))
    snapshot = asyncio.run(run_in_process(Migration(LocationSpec(str(source)), place, options=options, **changes)))
    for counts in (snapshot.totals.files, snapshot.totals.folders):
        assert counts.pending == 0 or not ends
    return snapshot


def folder() -> Path:
    """Of the latest execution."""
    return list_execution_folders(find_home())[-1]


def deletion_list() -> dict[bytes, dict[str, Any]]:
    return {row["path"]: row for row in pq.read_table(folder() / removing.LIST).to_pylist()}


def options(**changes: Any) -> TransferOptions:
    return msgspec.structs.replace(REMOVE, **changes)


def held_back(snapshot: Snapshot, why: str, *, refused: bool = True) -> None:
    """It ended plainly: all copied, nothing deleted, and why."""
    deletions = snapshot.totals.deletions
    assert deletions is not None
    assert why in deletions.held_back
    assert deletions.refused is refused
    assert snapshot.status is Status.ERROR
    assert why in snapshot.message
    assert (snapshot.totals.files.deleted, snapshot.totals.folders.deleted) == (0, 0)
    assert any(event.kind == "warning" and why in event.text for event in snapshot.events)


def keys(boto: S3Client, bucket: str) -> set[str]:
    pages = boto.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    found = {item["Key"] for page in pages for item in page.get("Contents", [])}
    found = {key for key in found if ".xsync-" not in key}  # attributes that this server keeps aside
    folders = {key[: end + 1] for key in found for end, letter in enumerate(key) if letter == "/"}
    return found | {folder for folder in folders - found if _has_marker(boto, bucket, folder)}


def _has_marker(boto: S3Client, bucket: str, folder: str) -> bool:
    """Whether a folder that is not listed is there: this server forgets to list some that it made twice at once."""
    try:
        boto.head_object(Bucket=bucket, Key=folder)
    except ClientError:
        return False
    return True


def expected(source: Path) -> set[str]:
    return {str(path.relative_to(source)) + ("/" if path.is_dir() else "") for path in source.rglob("*")}
