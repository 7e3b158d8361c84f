"""What failed, handed to a colleague: all of it, in text form, with nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.catalog.audit import FILES_SCHEMA
from engine.errors import XsyncError
from engine.model import Status
from engine.names import path_of_text
from engine.reporting.failures import COLUMNS
from tests.unit.cli_journals import DONE, FAILURES, make_execution, xsync
from xsync_tui.screens import exporting

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def row(name: bytes, action: str, reason: str | None, **more: Any) -> dict[str, Any]:
    return {"dir": b"", "name": name, "kind": "file", "action": action, "reason": reason, "size": 7, **more}


ROWS = [
    row(b"", "failed", "folder not listed", kind="folder", size=None, detail="EACCES"),
    row(b"=1+1", "failed", "=HYPERLINK(1)", mtime_ns=10**18, agent="agent-1"),
    row(b"caf\xe9\n", "failed", "unreadable", detail="+EIO\x1b"),
    row(b"sent", "transferred", None),
    row(b"still", "not_deleted", "changed"),
]


@pytest.fixture
def ended() -> Path:
    """An execution with an audit trail, whose journal kept other failures."""
    folder = make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)
    pq.write_table(pa.Table.from_pylist(ROWS, schema=FILES_SCHEMA), folder / "files.parquet")
    return folder


def test_the_csv_holds_all_that_failed_and_no_formula(ended: Path, capsys: Capture) -> None:
    ran = xsync(capsys, "report", "lab", "--failures", "--format", "csv")
    read = list(csv.DictReader(io.StringIO(ran.out, newline="")))
    assert ran.code == 0
    assert tuple(read[0]) == COLUMNS
    assert [each["path"] for each in read] == ["/", "'=1+1", r"caf\xe9\n", "still"]
    assert [each["reason"] for each in read] == [
        "folder not listed", "'=HYPERLINK(1)", "unreadable", "not deleted: changed"
    ]  # fmt: skip
    assert read[1]["mtime"] == "2001-09-09T01:46:40.000000000Z"
    assert read[2]["detail"] == r"'+EIO\x1b"
    assert "run as an account that may" in read[2]["remedy"]
    assert path_of_text(read[2]["path"]) == b"caf\xe9\n"


def test_the_json_says_of_what_it_is(ended: Path, capsys: Capture) -> None:
    found = xsync(capsys, "report", "--failures", "--json").json
    assert (found["execution"], found["profile"], found["complete"]) == (ended.name, "lab", True)
    assert found["failure_counts"] == {"changed while read": 1, "unreadable": 1}
    assert [each["path"] for each in found["failures"]] == ["/", "=1+1", r"caf\xe9\n", "still"]
    assert found["failures"][0]["size"] is None


def test_the_text_has_a_line_each_and_a_file_is_named(ended: Path, capsys: Capture, tmp_path: Path) -> None:
    ran = xsync(capsys, "report", "--failures")
    assert ran.out.splitlines()[::3] == ["/: folder not listed: EACCES", "still: not deleted: changed"]
    ran = xsync(capsys, "report", "--failures", "-o", str(tmp_path / "out"))
    assert (ran.out, ran.err) == ("", f"4 failures in {tmp_path / 'out'}\n")
    assert xsync(capsys, "report", "--failures", "--format", "html").code == 2


def test_of_a_run_under_way_it_is_what_is_known_and_says_so(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.journal.writer.KEPT_FAILURES", 1)
    make_execution("lab", Status.TRANSFERRING, failures=FAILURES)
    ran = xsync(capsys, "report", "--failures", "--json")
    assert ran.json["complete"] is False
    assert len(ran.json["failures"]) == 1
    assert ran.err.startswith("1 of 2 that failed so far have their paths here")


def test_nothing_failed(capsys: Capture) -> None:
    make_execution("lab", Status.SUCCESS, totals=DONE)
    assert xsync(capsys, "report", "--failures", "--json").json["failures"] == []
    assert xsync(capsys, "report", "--failures").out == ""


def test_the_app_writes_both_and_replaces_nothing(ended: Path, tmp_path: Path) -> None:
    said = exporting.export_failures(ended, "lab/../x", 1e9)
    stem = next(tmp_path.glob("failures-*.csv"))
    assert said == f"4 failures, written: {stem} and .json"
    assert stem.name.startswith("failures-lab-..-x-2001")
    assert len(json.loads(stem.with_suffix(".json").read_text())["failures"]) == 4
    stem.with_suffix(".csv").unlink()
    with pytest.raises(XsyncError, match="is there already"):
        exporting.export_failures(ended, "lab/../x", 1e9)
    assert not stem.with_suffix(".csv").exists(), "half of it would pass for all"
    assert stem.with_suffix(".json").exists(), "it is of an earlier export"
