"""The report of an execution: its sums, its page, its CSV; all of it with names and texts that mean harm."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.catalog.audit import FILES_SCHEMA
from engine.catalog.audit_summary import AgentWork, SizeBin, TopFolder, summarise
from engine.journal.reader import SnapshotReader
from engine.model import Failure, Status
from engine.reporting.reasons import skipped
from engine.reporting.report import write_report
from engine.reporting.report_csv import harmless, write_csv
from engine.reporting.report_html import render
from tests.unit.cli_journals import DONE, make_execution, xsync
from xsync_tui.cli.running import read_report

Capture = pytest.CaptureFixture[str]

EVIL = '<script>alert("x")</script>&\u202e'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def row(name: bytes, action: str = "transferred", **more: Any) -> dict[str, Any]:
    given = {"dir": b"d", "name": name, "kind": "file", "task": 0, "action": action, "size": 10, "sent_bytes": 10}
    return given | {"finished_ns": 10**18} | more


def write_audit(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=FILES_SCHEMA), path)
    return path


def reported(failures: tuple[Failure, ...] = (), rows: list[dict[str, Any]] | None = None) -> Path:
    """The folder of an execution that has ended and has its report."""
    folder = make_execution("lab", Status.ERROR, totals=DONE, failures=failures, message=EVIL)
    write_audit(folder / "files.parquet", [row(b"a", agent="agent-1", verified="read-back")] if rows is None else rows)
    with SnapshotReader(folder) as reader:
        write_report(folder, reader.read(), reader, 2.0)
    return folder


def test_the_sums_of_an_audit_trail(tmp_path: Path) -> None:
    second = 10**9
    rows = [
        row(b"a", size=0, sent_bytes=0, agent="agent-10", finished_ns=0, verified="server-checked"),
        row(b"b", size=9, sent_bytes=9, agent="agent-2", finished_ns=3 * second, verified="server-checked"),
        row(b"c", size=1_000, sent_bytes=1_000, agent="agent-2", finished_ns=10 * second),
        row(b"e", size=10**6, sent_bytes=10**6, finished_ns=5 * second),
        row(b"f", "failed", reason="changed while read", agent="agent-2"),
        row(b"g", "skipped", reason="vanished"),
        row(b"i", "skipped", reason="same content", verified="stored-checksum"),
        row(b"", "failed", kind="folder", reason="folder not listed"),
        row(b"h", kind="folder", agent="agent-2"),
    ]
    found = summarise(write_audit(tmp_path / "a.parquet", rows), tmp_path / "spill", shares=2)
    assert [each for each in found.sizes if each.files] == [
        SizeBin(0, 1, 1, 0),
        SizeBin(1, 10, 1, 9),
        SizeBin(1_000, 10_000, 1, 1_000),
        SizeBin(1_000_000, 10_000_000, 1, 10**6),
    ]
    assert [(each.from_, each.to) for each in found.sizes] == [(0, 1), *((10**n, 10 ** (n + 1)) for n in range(7))]
    assert found.verified == {"": 2, "server-checked": 2, "stored-checksum": 1}
    assert found.top_folders == (TopFolder("d", 4, 1_001_009),)
    assert found.agents == (
        AgentWork("agent-2", 2, 1_009, (9, 1_000)),
        AgentWork("agent-10", 1, 0, (0, 0)),
        AgentWork("", 1, 10**6, (0, 10**6)),
    )
    assert found.failures == {"changed while read": 1, "folder not listed": 1}
    assert found.skipped == {"same content": 1, "vanished": 1}


def test_an_empty_audit_trail_has_sums_too(tmp_path: Path) -> None:
    found = summarise(write_audit(tmp_path / "a.parquet", []), tmp_path / "spill", shares=5)
    assert (found.sizes, found.verified, found.agents, found.failures) == ((), {}, (), {})


def test_the_report_has_datasyncs_counters_and_ours() -> None:
    report = read_report(reported((Failure("2023/x", "changed while read"),)) / "report.json")
    assert report["FilesTransferred"] == report["files"]["transferred"] == DONE.files.transferred
    assert report["FilesFailed"] == {"Transfer": 2, "Delete": 0}
    assert (report["FoldersFailed"]["List"], report["FoldersFailed"]["Transfer"]) == (0, 0)
    assert report["BytesWritten"] == DONE.bytes.transferred
    assert report["Options"]["VerifyMode"] == "ONLY_FILES_TRANSFERRED"
    assert report["Options"]["Uid"] == "INT_VALUE"
    assert report["Result"]["TransferDuration"] == 2_000
    assert report["verified"] == {"read-back": 1}
    assert report["failures"] == [{"path": "2023/x", "reason": "changed while read", "detail": ""}]
    assert report["migration"]["source"] == {"url": "/mnt/lab"}


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_loads_nothing_and_runs_nothing() -> None:
    hurt = tuple(Failure(f"{EVIL}{number}", EVIL, EVIL) for number in range(150))
    folder = reported(hurt, [row(b"a", agent=EVIL, verified=EVIL), row(b"b", "failed", reason=EVIL)])
    text = (folder / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"script", "img", "link", "iframe", "object", "embed", "a", "form"}
    assert not [name for name, _ in page.attributes if name in ("src", "href", "srcset") or name.startswith("on")]
    assert "\u202e" not in text
    assert "url(" not in text
    assert "The first 100 of 150." in text
    assert text.count(f"&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;\\u202e{99}</td>") == 1
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    assert text == render(read_report(folder / "report.json"))


def test_each_chart_is_well_formed_svg() -> None:
    report = read_report(reported((Failure("x", EVIL),)) / "report.json")
    times = [1_000.0, 1_001.0, 1_002.0, 5_000.0, 5_001.0]
    report["throughput"] = [{"at": at, "files_per_second": 3.0, "bytes_per_second": at} for at in times]
    charts = re.findall(r"<svg.*?</svg>", render(report), re.DOTALL)
    assert len(charts) == 2 + 2 + 2 + 1  # throughput, an agent and its line, sizes, failures
    for chart in charts:
        ElementTree.fromstring(chart)
    assert charts[0].count("<polygon") == 2  # two sessions: no line joins them


def test_deletions_and_drift_are_shown_where_there_are_any() -> None:
    report = read_report(reported() / "report.json")
    assert "Drift" not in render(report)
    report["drift"] = {"missing": 0, "changed": 12_345}
    report["deletions"] = {"files": 3, "held_back": EVIL, "refused": True}
    page = render(report)
    assert "12,345" in page and "missing" not in page
    assert "held back" in page and "<script" not in page


def test_why_files_were_skipped_is_said_unless_all_were_unchanged() -> None:
    report = read_report(reported() / "report.json")
    report["files"]["skipped"] = 9
    assert "Why files were skipped" not in render(report)
    report["skipped"] = {"special": 3, EVIL: 1}
    assert skipped(report) == [("special (FIFOs, sockets, devices)", "3"), (EVIL, "1"), ("unchanged", "5")]
    page = render(report)
    assert "Why files were skipped" in page and "FIFOs" in page and "<script" not in page


def test_a_report_of_an_older_version_still_makes_a_page() -> None:
    report = read_report(reported() / "report.json")
    for added in ("throughput", "agents_sent", "agents", "sizes", "verified", "migration", "host", "xsync_version"):
        del report[added]
    assert "<svg" not in render(report)


def test_the_csv_gives_every_name_back_and_no_formula(tmp_path: Path) -> None:
    names = [b"=cmd()", b"'=x", b'a,b"c', b"new\nline", b"\xff\xfe", b"+1", "＝wide".encode(), b"plain"]
    rows = [row(name, dir=b"", checksum=2**64 - 1, etag="-tag", detail="@x", mtime_ns=-1) for name in names]
    rows.append(row(b"", dir=b"", kind="folder", mtime_ns=2**62))
    audit = write_audit(tmp_path / "a.parquet", rows)
    out = io.StringIO(newline="")
    assert write_csv(audit, out) == len(rows)
    read = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert [line["path"] for line in read] == [
        "'=cmd()",
        "''=x",
        'a,b"c',
        r"new\nline",
        r"\xff\xfe",
        "'+1",
        "'＝wide",
        "plain",
        "/",
    ]
    first = read[0]
    assert (first["crc64nvme"], first["etag"], first["detail"]) == ("f" * 16, "'-tag", "'@x")
    assert (first["mtime"], first["finished"]) == ("1969-12-31T23:59:59.999999999Z", "2001-09-09T01:46:40.000000000Z")
    assert read[-1]["mtime"].startswith("2116-")


def test_what_is_harmless_stays() -> None:
    assert [harmless(cell) for cell in ("", "a=b", "/x")] == ["", "a=b", "/x"]


def test_report_prints_each_format(capsys: Capture, tmp_path: Path) -> None:
    folder = reported()
    assert xsync(capsys, "report").out.endswith(f" report.html, report.json, files.parquet in\n {folder}\n")
    assert xsync(capsys, "report", "--format", "json").json == xsync(capsys, "report", "--json").json
    assert xsync(capsys, "report", "lab", "--format", "html").out == (folder / "report.html").read_text("utf-8")
    written = tmp_path / "out.csv"
    assert xsync(capsys, "report", "--format", "csv", "--output", str(written)).out == ""
    assert written.read_text("utf-8") == xsync(capsys, "report", "--format", "csv", "-o", "-").out


@pytest.mark.parametrize("arguments", [("--format", "csv"), ("--failures",)])
def test_what_cannot_be_read_is_named_not_what_is_written(
    capsys: Capture, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    audit = reported() / "files.parquet"
    audit.write_bytes(b"PAR1 damaged PAR1")
    for output in ((), ("-o", str(tmp_path / "out.csv"))):
        said = xsync(capsys, "report", *arguments, *output)
        assert said.code == 1
        assert f"{audit} cannot be read: " in said.err
        assert "cannot be written" not in said.err


def test_a_report_that_cannot_be_read_is_named(capsys: Capture, tmp_path: Path) -> None:
    folder = reported()
    (folder / "report.json").unlink()
    (folder / "report.json").mkdir()
    said = xsync(capsys, "report", "--json", "-o", str(tmp_path / "out.json"))
    assert f"{folder / 'report.json'} cannot be read: Is a directory" in said.err


def test_report_says_what_is_wrong(capsys: Capture, tmp_path: Path) -> None:
    reported()
    assert xsync(capsys, "report", "--json", "--format", "csv").code == 2
    failed = xsync(capsys, "report", "-o", str(tmp_path / "missing" / "x"))
    assert failed.code == 2
    assert "cannot be written" in failed.err
    make_execution("later", Status.TRANSFERRING)
    assert "no report yet" in xsync(capsys, "report", "--format", "csv").err
