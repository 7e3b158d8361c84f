"""What goes wrong on the first day: places that cannot be written, URLs that are none, patterns that match nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.privileges import mounted
from tests.support import Xsync, make_source


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=5)


def test_a_list_is_refused_before_the_work_if_it_cannot_be_written(xsync: Xsync, tmp_path: Path, source: Path) -> None:
    nowhere = tmp_path / "nowhere" / "plan.jsonl"
    done = xsync.run("run", source, tmp_path / "target", "--dry-run", "--output", nowhere)
    assert (done.code, f"there is no folder {nowhere.parent}" in done.message) == (2, True)
    assert xsync.run("run", source, tmp_path / "target").code == 0
    done = xsync.run("state", "export", tmp_path / "nowhere" / "state.tar.zst")
    assert (done.code, "there is no folder" in done.message) == (2, True)


@pytest.mark.parametrize(
    ("destination", "message"),
    [("s3://", "name a bucket"), ("gs://bucket", "xsync cannot reach gs://"), ("file://lab", "three slashes")],
)
def test_no_profile_is_saved_of_a_place_that_is_none(
    xsync: Xsync, source: Path, destination: str, message: str
) -> None:
    done = xsync.run("profiles", "new", "lab", source, destination)
    assert (done.code, message in done.message) == (2, True)
    assert not (xsync.home / "profiles" / "lab.toml").exists()


@pytest.mark.parametrize("command", ["verify", "cleanup"])
def test_a_destination_that_is_not_there_is_named_and_not_called_a_source(
    xsync: Xsync, tmp_path: Path, source: Path, command: str
) -> None:
    missing = tmp_path / "missing"
    done = xsync.run(*(["verify", source] if command == "verify" else ["cleanup"]), missing)
    assert (done.code, done.message.split(". ")[0]) == (2, f"{missing} does not exist")


def test_a_full_disk_is_no_defect(xsync: Xsync, source: Path) -> None:
    xsync.home.mkdir()
    with mounted(xsync.home, "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        with pytest.raises(OSError, match="No space left"):
            (xsync.home / "fill").write_bytes(bytes(1 << 20))
        done = xsync.run("survey", source)
    assert done.code == 1
    assert done.message.startswith(str(xsync.home))
    assert "No space left on device. Make room there" in done.message


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        (5, ("--include", "/typo"), "the source holds no file inside the filters: is a pattern misspelt?"),
        (0, (), "the source holds no file: is its file system mounted?"),
    ],
)
def test_a_run_that_finds_nothing_says_so(
    xsync: Xsync, tmp_path: Path, files: int, options: tuple[str, ...], said: str
) -> None:
    done = xsync.run("run", make_source(tmp_path / "source", files=files), tmp_path / "target", *options)
    assert done.code == 0
    snapshot = xsync.snapshot()
    assert snapshot is not None
    assert [event.text for event in snapshot.events if event.kind == "warning"] == [said]


def test_source_and_destination_that_are_one_folder(xsync: Xsync, source: Path) -> None:
    done = xsync.run("run", source, source)
    assert done.code == 4
    assert done.message == f"source and destination are the same folder: {source}; choose another one"


def test_what_the_destination_was_not_asked_for_is_not_called_verified(
    xsync: Xsync, tmp_path: Path, source: Path
) -> None:
    """Files that were read just after they were written are compared by content with what was recorded."""
    (source / "now").write_bytes(b"just written")
    assert xsync.run("run", source, tmp_path / "target").result["files"]["verified"] == 6
    (tmp_path / "target" / "now").unlink()
    again = xsync.run("run", source, tmp_path / "target").result
    assert (again["files"]["skipped"], again["files"]["verified"]) == (6, 0)
    report = json.loads(Path(again["report"]).read_text())
    assert report["skipped"]["same content"] >= 1
    assert xsync.run("verify", source, tmp_path / "target").code == 3
