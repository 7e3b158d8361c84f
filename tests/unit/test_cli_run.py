"""``xsync run`` in the foreground and behind a terminal, around a runner that does nothing but keep a journal."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import SourceError, StoppedError
from engine.execution import launch
from engine.execution.launch import Launched, RunRequest
from engine.model import FilterSpec, LocationSpec, Migration, Status
from engine.planning.hosting import HostRoom
from tests.unit.cli_journals import CLEAN, make_execution, xsync
from xsync_tui.cli import options, output, running
from xsync_tui.cli.block import Block
from xsync_tui.cli.presenters import BlockPresenter, JsonPresenter, LinePresenter, presenter

Capture = pytest.CaptureFixture[str]

RUNNER = """
import os, signal, sys, time
from pathlib import Path
from engine.journal.writer import Journal
from engine.locks import runner_lock
from engine.model import Status
folder, deed = Path(sys.argv[1]), sys.argv[2]
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
with runner_lock(folder), Journal.open(folder) as journal:
    print("ready", flush=True)
    if deed == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "end":
        journal.set_status(Status.SUCCESS, "", time.time())
    else:
        while not asked and os.getppid() == int(sys.argv[3]):
            signal.sigtimedwait([], 0.05)
        Path(folder / "asked").write_text(str(len(asked)))
        journal.set_status(Status.INTERRUPTED, "stopped before the end", time.time())
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(running, "POLL_SECONDS", 0.05)
    return tmp_path / "home"


@pytest.fixture
def start() -> Iterator[Callable[[str], Callable[[bool], Launched]]]:
    """Makes a launch function whose runner does one deed: end, die, or wait to be drained."""
    processes: list[subprocess.Popen[bytes]] = []

    def starting(deed: str) -> Callable[[bool], Launched]:
        def launch_it(detached: bool) -> Launched:
            folder = make_execution("lab", Status.TRANSFERRING, totals=CLEAN)
            process = subprocess.Popen(
                [sys.executable, "-c", RUNNER, str(folder), deed, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            processes.append(process)
            assert process.stdout is not None
            process.stdout.readline()
            return Launched(folder.name, folder, False, process)

        return launch_it

    yield starting
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


Start = Callable[[str], Callable[[bool], Launched]]


def _lines(capture: Capture) -> list[Any]:
    return [json.loads(line) for line in capture.readouterr().out.splitlines()]


def test_it_stays_to_the_end_and_streams_json_lines(start: Start, capsys: Capture) -> None:
    assert running.in_foreground(start("end"), as_json=True) == 0
    *snapshots, result = _lines(capsys)
    assert {line["type"] for line in snapshots} == {"snapshot"}
    assert snapshots[-1]["status"] == "SUCCESS"
    assert (result["type"], result["status"]) == ("result", "SUCCESS")
    assert result["files"]["transferred"] == 1_000


def test_off_a_terminal_it_prints_lines_and_the_ledger(start: Start, capsys: Capture) -> None:
    assert running.run_and_stay(start("end"), detach=False, as_json=False) == 0
    out = capsys.readouterr().out
    assert "SUCCESS  1,000 found  1,000 transferred" in out
    assert "discovered = transferred + skipped" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_drains_the_runner_once_and_ends_with_5(
    name: str, start: Start, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    monkeypatch.setattr(JsonPresenter, "show", lambda *_: os.kill(os.getpid(), number))  # again and again
    assert running.in_foreground(start("wait"), as_json=True) == 5
    captured = capsys.readouterr()
    result = json.loads(captured.out.splitlines()[-1])
    assert result["status"] == "INTERRUPTED"
    assert (running_folder(result["execution"]) / "asked").read_text() == "1"
    assert signal.getsignal(number) is before


def running_folder(execution: str) -> Path:
    return Path(os.environ["XSYNC_HOME"]) / "executions" / execution


def test_a_signal_while_it_starts_is_not_lost(start: Start) -> None:
    waiting = start("wait")

    def slow(detached: bool) -> Launched:
        os.kill(os.getpid(), signal.SIGTERM)
        return waiting(detached)

    assert running.in_foreground(slow, as_json=True) == 5


def test_an_ignored_signal_stays_ignored(start: Start) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with running._drain_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_runner_that_dies_is_an_interrupted_run_that_can_go_on(start: Start, capsys: Capture) -> None:
    assert running.in_foreground(start("die"), as_json=False) == 5
    out = capsys.readouterr().out
    assert "INTERRUPTED" in out
    assert "xsync resume" in out


def test_when_nobody_reads_any_more_the_runner_is_drained(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    folders: list[Path] = []
    waiting = start("wait")

    def remembered(detached: bool) -> Launched:
        launched = waiting(detached)
        folders.append(launched.folder)
        return launched

    monkeypatch.setattr(sys, "stdout", Gone())
    with pytest.raises(StoppedError, match="xsync resume"):
        running.in_foreground(remembered, as_json=False)
    assert (folders[0] / "asked").read_text() == "1"


def test_detach_prints_the_id_alone_on_stdout(start: Start, capsys: Capture) -> None:
    assert running.run_and_stay(start("wait"), detach=True, as_json=False) == 0
    captured = capsys.readouterr()
    assert running_folder(captured.out.strip()).is_dir()
    assert "xsync attach" in captured.err
    assert running.run_and_stay(start("wait"), detach=True, as_json=True) == 0
    started = json.loads(capsys.readouterr().out)
    assert (started["type"], started["continued"]) == ("started", False)


def test_leaving_while_it_starts_on_a_terminal_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(running, "on_terminal", lambda: True)

    def interrupted(detached: bool) -> Launched:
        assert detached
        raise KeyboardInterrupt

    assert running.run_and_stay(interrupted, detach=False, as_json=False) == 0
    assert "xsync status" in capsys.readouterr().err


# What the command line becomes


def _requested(monkeypatch: pytest.MonkeyPatch) -> list[RunRequest]:
    requests: list[RunRequest] = []

    def refuse(request: RunRequest, *, detached: bool) -> Launched:
        requests.append(request)
        raise SourceError("there is nothing")

    monkeypatch.setattr(launch, "start", refuse)
    return requests


def test_source_and_destination_become_a_migration_without_a_name(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    requests = _requested(monkeypatch)
    monkeypatch.chdir(tmp_path)
    arguments = (
        "run data s3://b/p --agents 8 --region r --endpoint-url http://h:1 --aws-profile a --storage-class GLACIER"
    )
    filters = ["--include", "/a|/b", "--include", "/c", "--exclude", "*.tmp", "--manifest", "m.csv"]
    ran = xsync(capsys, *arguments.split(), *filters)
    assert (ran.code, ran.err) == (1, "xsync: there is nothing\n")
    assert requests == [
        RunRequest(
            Migration(
                LocationSpec(str(tmp_path / "data")),
                LocationSpec("s3://b/p", "r", "http://h:1", "a", "GLACIER"),
                None,
                FilterSpec(("/a", "/b", "/c"), ("*.tmp",), str(tmp_path / "m.csv")),
                agents=8,
            ),
            None,
        )
    ]


def test_a_profile_becomes_its_migration(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    requests = _requested(monkeypatch)
    xsync(capsys, "profiles", "new", "lab", "/mnt/lab", "s3://lab", "--agents", "3")
    xsync(capsys, "run", "lab", "--json")
    xsync(capsys, "run", "lab", "--agents", "5")
    migration = Migration(LocationSpec("/mnt/lab"), LocationSpec("s3://lab"), "lab", agents=3)
    assert requests[0] == RunRequest(migration, "lab")
    assert requests[1].migration.agents == 5


def test_a_wrong_pattern_is_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    requests = _requested(monkeypatch)
    ran = xsync(capsys, "run", "/a", "/b", "--include", "x*y")
    assert ran.code == 2
    assert "filters.include[0]" in ran.err
    assert requests == []


# How it is shown


def test_a_block_is_redrawn_in_place_also_after_the_terminal_became_narrower() -> None:
    stream = io.StringIO()
    block = Block(stream)
    block.draw(["a" * 30, "\x1b[1mb\x1b[0m"], 80)
    block.draw(["c"], 20)  # 30 cells take two rows of 20 now
    block.erase(20)
    assert stream.getvalue() == (
        "\r" + "a" * 30 + "\x1b[K\n\x1b[1mb\x1b[0m\x1b[K\n\x1b[J" + "\x1b[3A\rc\x1b[K\n\x1b[J" + "\x1b[1A\r\x1b[J"
    )


def test_where_stdout_goes_decides_how_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(presenter(as_json=True, foot=""), JsonPresenter)
    assert isinstance(presenter(as_json=False, foot=""), LinePresenter)
    monkeypatch.setattr("xsync_tui.cli.presenters.can_redraw", lambda: True)
    assert isinstance(presenter(as_json=False, foot=""), BlockPresenter)
    assert isinstance(presenter(as_json=False, foot="", lines=True), LinePresenter)


def test_lines_come_every_few_seconds_and_with_each_state(capsys: Capture) -> None:
    from engine.journal.reader import read_snapshot

    folder = make_execution("lab", Status.TRANSFERRING)
    paused = make_execution("other", Status.PAUSED)
    shown = LinePresenter()
    for seconds, of in ((0.0, folder), (4.9, folder), (5.1, folder), (5.2, paused), (5.3, paused), (2.0, paused)):
        shown.show(read_snapshot(of), 1_000.0 + seconds)
    shown.close()
    lines = capsys.readouterr().out.splitlines()
    assert ["PAUSED" in line for line in lines] == [False, False, True, True]


def test_no_color_and_a_dumb_terminal_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.current_look().color
    monkeypatch.setenv("NO_COLOR", "1")
    assert not output.current_look().color
    assert output.can_redraw()
    monkeypatch.setenv("TERM", "dumb")
    assert not output.can_redraw()


def test_more_agents_than_the_host_holds_are_started_as_asked_for_with_a_word_about_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    asked: list[int] = []

    def refuse(request: RunRequest, *, detached: bool) -> Launched:
        asked.append(request.migration.agents)
        raise SourceError("not in a test")

    monkeypatch.setattr("engine.execution.checking.host.room_here", lambda: HostRoom(3, "cores", "1 slow core"))
    monkeypatch.setattr(launch, "start", refuse)
    said = [xsync(capsys, "run", str(tmp_path), str(tmp_path / "to"), "--agents", count).err for count in ("3", "600")]
    assert asked == [3, 600]
    assert "more than this host holds" not in said[0]
    assert "! 600 agents are more than this host holds, which is 3 agents (1 slow core)" in said[1]


@pytest.mark.parametrize("command", ["run", "check", "verify", "plan", "test-run"])
def test_help_tells_which_options_a_profile_takes(capsys: Capture, command: str) -> None:
    told = " ".join(xsync(capsys, command, "--help").out.partition("With a PROFILE, ")[2].split())
    taken = told.partition("only ")[2].partition(" are taken")[0]
    known = {f"--{key.replace('_', '-')}" for key in options.ALSO_WITH_PROFILE}
    assert set(taken.replace(" and", ",").split(", ")) == known - {"--agents"}
    refused = xsync(capsys, command, "lab", "--include", "/2024")
    assert refused.code == 2
    assert "--include: with a profile, this is said in the profile" in refused.err
