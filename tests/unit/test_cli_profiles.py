"""``xsync profiles``: save, see, check and remove migrations; every mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli_journals import xsync

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def _new(capsys: Capture, *more: str) -> None:
    assert xsync(capsys, "profiles", "new", "lab", "/mnt/lab", "s3://lab/img", *more).code == 0


def test_a_new_profile_can_be_listed_shown_validated_and_removed(home: Path, capsys: Capture) -> None:
    path = home / "profiles" / "lab.toml"
    _new(capsys, "--region", "us-west-2", "--exclude", "*.tmp|/scratch", "--agents", "4")
    assert xsync(capsys, "profiles", "list").out == f"{'lab':<20}  /mnt/lab -> s3://lab/img\n"
    assert xsync(capsys, "profiles", "show", "lab").out == path.read_text()
    shown = xsync(capsys, "profiles", "show", "lab", "--json").json
    assert shown["destination"] == {"url": "s3://lab/img", "region": "us-west-2"}
    assert (shown["filters"], shown["agents"]) == ({"exclude": ["*.tmp|/scratch"]}, 4)
    assert xsync(capsys, "profiles", "validate", "lab", "--json").json == {
        "name": "lab",
        "path": str(path),
        "valid": True,
    }
    assert xsync(capsys, "profiles", "path", "lab", "--json").json == {"path": str(path), "exists": True}
    assert xsync(capsys, "profiles", "delete", "lab", "--json").json["deleted"] is True
    assert not path.exists()


def test_a_relative_path_is_saved_as_an_absolute_one(tmp_path: Path, capsys: Capture) -> None:
    xsync(capsys, "profiles", "new", "lab", "data", "file:///mnt/out", "--region", "x", "--manifest", "list.csv")
    shown = xsync(capsys, "profiles", "show", "lab", "--json").json
    assert shown["source"] == {"url": str(tmp_path / "data")}
    assert shown["destination"] == {"url": "file:///mnt/out"}
    assert shown["filters"]["manifest"] == str(tmp_path / "list.csv")


def test_it_does_not_overwrite(capsys: Capture) -> None:
    _new(capsys)
    ran = xsync(capsys, "profiles", "new", "lab", "/other", "/there")
    assert ran.code == 2
    assert "xsync profiles delete lab" in ran.err


def test_what_is_wrong_on_the_command_line_is_named(capsys: Capture) -> None:
    ran = xsync(capsys, "profiles", "new", "la b", "/mnt/lab", "s3://lab", "--include", "a*b")
    assert ran.code == 2
    assert "command line" in ran.err
    assert "name: expected letters" in ran.err
    assert "filters.include[0]" in ran.err


def test_an_invalid_profile_is_listed_with_its_reason(home: Path, capsys: Capture) -> None:
    _new(capsys)
    (home / "profiles" / "odd.toml").write_text('schema = 1\nname = "odd"\n[sorce]\nurl = "/x"\n')
    listed = xsync(capsys, "profiles", "list", "--json").json["profiles"]
    assert [row["name"] for row in listed] == ["lab", "odd"]
    assert listed[0]["problem"] is None
    assert "did you mean source" in listed[1]["problem"]
    ran = xsync(capsys, "profiles", "validate", "odd")
    assert ran.code == 2
    assert "sorce: unknown key" in ran.err


def test_a_profile_that_is_not_there_says_what_is_and_how_to_make_it(capsys: Capture) -> None:
    none = xsync(capsys, "run", "lab")
    assert none.code == 2
    assert "There is no profile yet" in none.err
    _new(capsys)
    ran = xsync(capsys, "run", "lob")
    assert ran.code == 2
    assert "There is no profile called lob. Did you mean lab?" in ran.err
    assert "There are: lab." in ran.err
    assert "xsync profiles new lob SOURCE DESTINATION" in ran.err


def test_a_location_alone_is_no_profile(capsys: Capture) -> None:
    ran = xsync(capsys, "run", "s3://bucket")
    assert ran.code == 2
    assert "xsync run s3://bucket DESTINATION" in ran.err


def test_options_of_a_profile_are_not_said_twice(capsys: Capture) -> None:
    _new(capsys)
    ran = xsync(capsys, "run", "lab", "--region", "us-west-2", "--exclude", "x")
    assert ran.code == 2
    assert "--region, --exclude" in ran.err


def test_no_profile_yet(capsys: Capture) -> None:
    assert "Make one: xsync profiles new" in xsync(capsys, "profiles", "list").out
    assert xsync(capsys, "profiles", "list", "--json").json["profiles"] == []
