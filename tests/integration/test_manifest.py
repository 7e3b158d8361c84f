"""Runs of a manifest: it is read once, and what it names and the source has not is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.execution.launch import RunRequest, create
from engine.model import FilterSpec, LocationSpec, Migration
from tests.indoors import Indoors
from tests.support import Xsync, make_source, tree_of


@pytest.fixture
def xsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Xsync:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    return Indoors(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=10)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "manifest.csv"


FIRST, SECOND = "top0/sub0/file-000000.dat", "top1/sub1/file-000001.dat"


def files_of(folder: Path) -> set[str]:
    return {path for path in tree_of(folder) if (folder / path).is_file()}


@pytest.fixture
def begun(xsync: Xsync, tmp_path: Path, source: Path, manifest: Path) -> Path:
    """An execution of the first file that got no further, and its target; the manifest names the second file since."""
    manifest.write_text(FIRST + "\n")
    migration = Migration(
        source=LocationSpec(url=str(source)),
        destination=LocationSpec(url=str(tmp_path / "target")),
        filters=FilterSpec(manifest=str(manifest)),
    )
    create(RunRequest(migration))
    manifest.write_text(SECOND + "\n")
    return tmp_path / "target"


def test_a_resume_copies_what_the_manifest_said_when_the_execution_began(xsync: Xsync, begun: Path) -> None:
    assert xsync.run("resume").code == 0
    assert files_of(begun) == {FIRST}


@pytest.mark.parametrize(("now", "executions"), [(FIRST, 1), (SECOND, 2)])
def test_a_run_goes_on_with_an_interrupted_one_only_if_the_manifest_says_the_same(
    xsync: Xsync, begun: Path, source: Path, manifest: Path, now: str, executions: int
) -> None:
    manifest.write_text(now + "\n")
    assert xsync.run("run", source, begun, "--manifest", manifest).code == 0
    assert len(xsync.executions()) == executions
    assert files_of(begun) == {now}


def test_what_a_manifest_names_and_the_source_has_not_is_a_failure(
    xsync: Xsync, tmp_path: Path, source: Path, manifest: Path
) -> None:
    manifest.write_text(f"{FIRST}\ntop0/gone.dat\nnowhere/at/all\ntop1\ntop2/left-out.tmp\n")
    command = ["run", str(source), str(tmp_path / "target"), "--manifest", str(manifest), "--exclude", "*.tmp"]
    done = xsync.run(*command)
    assert done.code == 3, done.errors
    assert done.result["failures"] == {"not at the source": 3}
    files = done.result["files"]
    assert files["failed"] == 3
    assert files["discovered"] == sum(
        files[word] for word in ("transferred", "skipped", "failed", "excluded", "pending")
    )
    report = json.loads(Path(done.result["report"]).read_text())
    told = {failure["path"]: failure["detail"] for failure in report["failures"]}
    assert told == {
        "top0/gone.dat": "the manifest names it",
        "nowhere/at/all": "the manifest names it",
        "top1": "it is a folder: a manifest names files; for all that is in a folder use an include filter",
    }

    for path in ("top0/gone.dat", "nowhere/at/all"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(b"there now")
    again = xsync.run("retry")
    assert again.result["failures"] == {"not at the source": 1}
    assert files_of(tmp_path / "target") == {FIRST, "top0/gone.dat", "nowhere/at/all"}
