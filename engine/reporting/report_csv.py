"""The audit trail as CSV for spreadsheets and scripts: one row an entry acted on, streamed with flat memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from engine.catalog.audit import path_of_row, read_files_parquet
from engine.names import text_of

COLUMNS = (
    "path",
    "kind",
    "action",
    "reason",
    "detail",
    "size",
    "mtime",
    "sent_bytes",
    "crc64nvme",
    "etag",
    "verified",
    "agent",
    "finished",
)
"""path: in text form (names.py), / for the root itself. Sizes in bytes, times in UTC, crc64nvme as 16 hex digits."""

_FORMULA_STARTS = frozenset("=+-@'\t\r\n＝＋－＠")
"""The wide forms count as formulas too."""


def write_csv(audit: Path, out: TextIO) -> int:
    """Write the rows of ``files.parquet`` after a header; returns how many. Raises OSError, JournalError."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for rows in read_files_parquet(audit):
        writer.writerows(_lines(rows))
        count += rows.num_rows
    return count


def harmless(cell: str) -> str:
    """``cell`` so that no spreadsheet takes it for a formula: with an apostrophe before what could begin one.

    One that begins with an apostrophe gets another: taking the first one off gives every cell back (OWASP, CSV
    injection).
    """
    return f"'{cell}" if cell[:1] in _FORMULA_STARTS else cell


def _lines(rows: pa.Table) -> Iterator[list[str | int | None]]:
    for row in rows.to_pylist():
        yield [
            harmless(text_of(path_of_row(row))) or "/",
            row["kind"],
            row["action"],
            _said(row["reason"]),
            _said(row["detail"]),
            row["size"],
            moment(row["mtime_ns"]),
            row["sent_bytes"],
            None if row["checksum"] is None else f"{row['checksum']:016x}",
            _said(row["etag"]),
            row["verified"],
            row["agent"],
            moment(row["finished_ns"]),
        ]


def _said(text: Any) -> str | None:
    return None if text is None else harmless(text_of(text.encode()))


def moment(ns: int | None) -> str | None:
    """The time in UTC; years that no calendar here has (a broken time stamp) stay a number of nanoseconds."""
    if ns is None:
        return None
    try:
        whole = datetime.fromtimestamp(ns // 10**9, UTC)
    except (OverflowError, ValueError, OSError):
        return str(ns)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z"
