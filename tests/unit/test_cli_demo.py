"""``xsync demo``: leaves nothing behind, says how to get what it lacks, and does not call different things the same."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine.model import LocationSpec
from tests.unit.cli_journals import xsync
from xsync_tui.cli import demo
from xsync_tui.cli.demo import Stage
from xsync_tui.cli.folders_compared import compare_folders
from xsync_tui.demo.server import S3Server

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of these tests, empty."""
    monkeypatch.delenv("XSYNC_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _played(monkeypatch: pytest.MonkeyPatch, deed: Callable[[Path], int]) -> None:
    def play(base: Path, scale: float, **_: Any) -> int:
        assert Path(os.environ["XSYNC_HOME"]) == base / "home"
        (base / "dataset").mkdir()
        return deed(base)

    monkeypatch.setattr(demo, "_play", play)


@pytest.mark.parametrize("code", [0, 3])
def test_its_code_is_that_of_what_it_did_and_nothing_stays(
    code: int, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    _played(monkeypatch, lambda _: code)
    ran = xsync(capsys, "demo", "--scale", "0.01")
    assert ran.code == code
    assert "Cleaned up" in ran.err
    assert list(place.iterdir()) == []
    assert "XSYNC_HOME" not in os.environ


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cleans_up_too(number: int, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def interrupted(_: Path) -> int:
        os.kill(os.getpid(), number)
        raise AssertionError("not reached")

    _played(monkeypatch, interrupted)
    ran = xsync(capsys, "demo")
    assert ran.code == 5
    assert list(place.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_keep_leaves_all_and_says_where(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    _played(monkeypatch, lambda _: 0)
    ran = xsync(capsys, "demo", "--keep", "--folder", str(place / "deep" / "er"))
    (base,) = (place / "deep" / "er").iterdir()
    assert str(base) in ran.err
    assert (base / "dataset").is_dir()


def test_without_the_extra_it_says_how_to_get_it_and_what_works_without(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    ran = xsync(capsys, "demo", "--headless", "--scale", "0.01")
    assert ran.code == 1
    assert "pip install 'xsync-tui[demo]'" in ran.err
    assert "xsync demo --to-folder" in ran.err
    assert list(place.iterdir()) == []


def test_no_room_is_said_before_anything_is_made(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    class Usage(NamedTuple):
        total: int = 10**9
        used: int = 9 * 10**8
        free: int = 10**8

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage())
    ran = xsync(capsys, "demo")
    assert ran.code == 1
    assert "100 MB free, scale 1 needs 2.20 GB" in ran.err
    assert list(place.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(place: Path, capsys: Capture) -> None:
    (place / "file").write_text("")
    ran = xsync(capsys, "demo", "--folder", str(place / "file" / "below"))
    assert ran.code == 1
    assert str(place / "file" / "below") in ran.err


def test_only_the_servers_own_credentials_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "other")
    monkeypatch.setenv("AWS_PROFILE", "other")
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.delenv("no_proxy", raising=False)
    access = demo._access(S3Server("http://127.0.0.1:1", "key", "secret", "us-east-1"))
    with demo._environment(access):
        assert "AWS_SESSION_TOKEN" not in os.environ
        assert "AWS_PROFILE" not in os.environ
        assert os.environ["AWS_ACCESS_KEY_ID"] == "key"
        assert os.environ["NO_PROXY"] == "intranet,127.0.0.1"
    assert os.environ["AWS_SESSION_TOKEN"] == "other"
    assert "AWS_ACCESS_KEY_ID" not in os.environ or os.environ["AWS_ACCESS_KEY_ID"] != "key"


# The independent check of a folder


@pytest.fixture
def twins(place: Path) -> tuple[Path, Path]:
    source, copy = place / "source", place / "copy"
    (source / "a").mkdir(parents=True)
    (source / "a" / "file").write_bytes(b"content")
    (source / "empty").write_bytes(b"")
    (source / "link").symlink_to("a/file")
    shutil.copytree(source, copy, symlinks=True)
    return source, copy


def test_a_true_copy_is_identical(twins: tuple[Path, Path], capsys: Capture) -> None:
    checked = compare_folders(*twins)
    assert checked.identical
    assert (checked.files, checked.symlinks, checked.folders, checked.bytes) == (2, 1, 1, 7)
    assert demo._tell(checked, as_json=False) == 0
    assert "IDENTICAL" in capsys.readouterr().out


def _same_size(copy: Path) -> None:
    times = (copy / "a" / "file").stat()
    (copy / "a" / "file").write_bytes(b"CONTENT")
    os.utime(copy / "a" / "file", ns=(times.st_atime_ns, times.st_mtime_ns))


def _relinked(copy: Path) -> None:
    (copy / "link").unlink()
    (copy / "link").symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("change", "name", "what"),
    [
        (_same_size, "a/file", "its content differs"),
        (_relinked, "link", "it points elsewhere"),
        (lambda copy: (copy / "empty").unlink(), "empty", "missing at the destination"),
        (lambda copy: (copy / "new").write_text(""), "new", "not in the source"),
        (lambda copy: (copy / "empty").chmod(0o600), "empty", "mode"),
        (lambda copy: os.utime(copy / "a", (1, 1)), "a", "time"),
    ],
)
def test_any_difference_is_found_and_ends_with_3(
    change: Callable[[Path], None], name: str, what: str, twins: tuple[Path, Path], capsys: Capture
) -> None:
    source, copy = twins
    change(copy)
    checked = demo._verify(source, Stage(LocationSpec(str(copy)), None))
    (difference,) = checked.differences
    assert difference.name == name
    assert difference.what.startswith(what)
    assert demo._tell(checked, as_json=False) == 3
    out = capsys.readouterr().out
    assert "1 DIFFERENT" in out
    assert f"{name}: {what}" in out
    assert demo._tell(checked, as_json=True) == 3
    assert '"identical":false' in capsys.readouterr().out
