"""Every outcome of a command is one clear message and the exit code of the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from engine import errors
from tests.unit.cli_journals import xsync
from xsync_tui.cli import status
from xsync_tui.cli.group import COMMANDS

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(status, "command", click.Command("status", callback=fail))


def _command(*arguments: str, **more: str) -> Callable[[], subprocess.CompletedProcess[str]]:
    def start() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "xsync_tui", *arguments],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name: str, capsys: Capture) -> None:
    ran = xsync(capsys, name, "--help")
    assert (ran.code, ran.err) == (0, "")
    if name not in ("profiles", "fleet", "state", "schedule"):
        assert "--json" in ran.out


def test_help_lists_every_command_without_importing_it(capsys: Capture) -> None:
    ran = xsync(capsys, "--help")
    assert all(f"\n  {name} " in ran.out for name in COMMANDS)


def test_without_arguments_it_says_what_to_do_next(capsys: Capture) -> None:
    ran = xsync(capsys)
    assert ran.code == 0
    assert "xsync demo" in ran.out
    assert "xsync run /data s3://bucket/prefix" in ran.out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.XsyncError("the lock is stuck"), 1),
        (errors.UsageError("no such thing"), 2),
        (errors.ProfileError("p.toml: nmae: unknown key"), 2),
        (errors.SourceError("cannot read /mnt"), 1),
        (errors.BusyError("kim holds it"), 4),
        (errors.StoppedError("stopped"), 5),
    ],
)
def test_an_expected_error_is_its_message_and_its_code(
    error: errors.XsyncError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    _failing(monkeypatch, error)
    ran = xsync(capsys, "status")
    assert (ran.code, ran.out, ran.err) == (code, "", f"xsync: {error}\n")


def test_with_json_an_error_is_an_object_too(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    ran = xsync(capsys, "pause", "nothing", "--json")
    assert ran.code == 2
    assert ran.json == {"type": "error", "message": ran.err.removeprefix("xsync: ").strip(), "exit_code": 2}


@pytest.mark.parametrize(
    "arguments",
    [("rnu",), ("run",), ("status", "--wrong"), ("run", "a", "b", "c"), ("survey", "/", "--processes", "x")],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], capsys: Capture) -> None:
    ran = xsync(capsys, *arguments)
    assert ran.code == 2
    assert ran.err.startswith("xsync: ")
    assert "--help" in ran.err
    assert xsync(capsys, *arguments, "--json").json["exit_code"] == 2


def test_an_unknown_command_names_the_nearest(capsys: Capture) -> None:
    assert "Did you mean status?" in xsync(capsys, "statsu").err


def test_an_unexpected_error_leaves_its_traceback_in_a_private_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    _failing(monkeypatch, KeyError("what\x1b[2J"))
    ran = xsync(capsys, "status")
    log = home / "errors.log"
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "KeyError" in ran.err
    assert str(log) in ran.err
    assert "\x1b" not in ran.err
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_an_unexpected_error_where_nothing_can_be_written_is_still_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    home.write_text("a file, not a folder")
    _failing(monkeypatch, KeyError("what"))
    ran = xsync(capsys, "status")
    assert ran.code == 1
    assert "could not be kept" in ran.err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_is_5(error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    _failing(monkeypatch, error)
    ran = xsync(capsys, "status")
    assert (ran.code, ran.err) == (5, "xsync: interrupted\n")


def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "xsync_tui", "status"],
        env={**os.environ, "XSYNC_HOME": str(tmp_path)},
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (process.returncode, process.stderr) == (1, b"")


def test_a_locale_that_is_not_utf8_gets_ascii_and_no_crash(home: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    done = _command("run", "Zürich", **plain)()
    assert done.returncode == 2
    assert done.stderr.isascii()
    assert "Z\\xc" in done.stderr or "Z\\xfc" in done.stderr


def test_version_and_status_load_no_command_but_their_own(home: Path) -> None:
    code = (
        "import sys; from xsync_tui.cli.entry import run; run(['status']); print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stderr
    assert "'xsync_tui.cli.status'" in loaded
    assert "'xsync_tui.cli.run'" not in loaded
    assert "'engine.execution" not in loaded


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["plan", "x", "--bandwidth", "20"], "xsync: Invalid value for '--bandwidth': '20' is not a rate: expected a"),
        (["plan", "x", "--agents", "many"], "'many' is not a whole number. Try 'xsync plan --help'."),
        (["survey", "a", "b"], "Got unexpected extra argument (b). Try 'xsync survey --help'."),
    ],
)
def test_wrong_usage_names_the_option_and_is_a_sentence(args: list[str], said: str, capsys: Capture) -> None:
    ran = xsync(capsys, *args)
    assert ran.code == 2
    assert said in ran.err
