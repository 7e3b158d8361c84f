"""What runs between a source and a destination did, and what differs between the two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tests.support import Xsync
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = 33 << 20
NAMES = "abcdef"


def acted(xsync: Xsync) -> dict[str, tuple[str, str | None]]:
    """File name -> what the latest execution did and why, folders left out."""
    rows = pq.read_table(xsync.folder() / "files.parquet").to_pylist()
    return {row["name"].decode(): (row["action"], row["reason"]) for row in rows if row["kind"] != "folder"}


def report(xsync: Xsync) -> dict[str, Any]:
    """The report of the latest execution."""
    found: dict[str, Any] = json.loads((xsync.folder() / "report.json").read_bytes())
    return found


def differing(source: Path, server: S3Server, bucket: str) -> set[str]:
    """Last names of what is not the same on both sides, as an independent reader sees it; xsync's own left out."""
    found = verify(source, server, bucket, "data").differences
    return {difference.name.rpartition("/")[2] for difference in found if ".xsync-" not in difference.name}


def told(xsync: Xsync) -> str:
    """What the latest execution said of differences that a verification had found before it."""
    snapshot = xsync.snapshot()
    assert snapshot is not None
    return "".join(event.text for event in snapshot.events if "verification found" in event.text)


def spoil(boto: S3Client, bucket: str) -> None:
    """Lose one object, change two in place, one of them large, and add one."""
    boto.delete_object(Bucket=bucket, Key="data/d/a")
    boto.put_object(Bucket=bucket, Key="data/d/b", Body=b"X" * 100)
    boto.delete_object(Bucket=bucket, Key="data/large")
    boto.put_object(Bucket=bucket, Key="data/d/foreign", Body=b"mine")
