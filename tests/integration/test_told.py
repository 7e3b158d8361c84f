"""A run tells the world outside: a command at its end and when it cannot begin, and figures for Prometheus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import Xsync, make_source


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home", env={"HOOK": "http://plain.invalid/s3cret"})


def profile(folder: Path) -> Path:
    path = folder / "lab.toml"
    path.write_text(
        f"""
        schema = 1
        name = "lab"
        metrics_file = "{folder}/lab.prom"
        source.url = "{folder}/source"
        destination.url = "{folder}/target"
        [notify]
        command = ["tee", "{folder}/told"]
        webhook_variable = "HOOK"
        """
    )
    return path


def test_the_end_is_told_and_measured(xsync: Xsync, tmp_path: Path) -> None:
    make_source(tmp_path / "source", files=20)
    done = xsync.run("run", profile(tmp_path))
    assert done.code == 0, done.errors
    told = json.loads((tmp_path / "told").read_text())
    assert (told["event"], told["status"], told["files"]["transferred"]) == ("end", "SUCCESS", 20)
    assert told["report"] == str(xsync.folder() / "report.json")
    metrics = (tmp_path / "lab.prom").read_text()
    assert 'outcome="transferred"} 20\n' in metrics
    assert 'status="SUCCESS"} 1.0\n' in metrics
    snapshot = xsync.snapshot()
    assert snapshot is not None
    assert ["HOOK holds no https:// URL" in event.text for event in snapshot.events if event.kind == "warning"] == [
        True
    ]
    kept = b"".join(path.read_bytes() for path in xsync.home.rglob("*") if path.is_file())
    assert b"s3cret" not in kept


def test_a_run_that_cannot_begin_is_a_failure(xsync: Xsync, tmp_path: Path) -> None:
    done = xsync.run("run", profile(tmp_path))
    assert done.code == 2
    told = json.loads((tmp_path / "told").read_text())
    assert (told["event"], told["status"]) == ("failure", "ERROR")
    assert "does not exist" in told["message"]


def test_a_metrics_file_of_the_command_line(xsync: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=5)
    assert xsync.run("run", source, tmp_path / "target", "--metrics-file", tmp_path / "no" / "x.prom").code == 2
    assert xsync.run("run", source, tmp_path / "target", "--metrics-file", tmp_path / "x.prom").code == 0
    assert 'profile=""' in (tmp_path / "x.prom").read_text()
