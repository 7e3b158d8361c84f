"""``xsync limit`` and what is shown of a limit, on journals as runners write them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.journal.writer import Journal
from engine.model import Limit, Status
from tests.unit.cli_journals import CLEAN, alive, answering, make_execution, xsync
from xsync_tui.cli.limit import command

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize(
    ("text", "rate"), [("100Mbit/s", 12_500_000), ("60 MB/s", 60_000_000), ("none", None), ("NONE", None)]
)
def test_a_runner_is_asked_for_bytes_a_second_or_none(text: str, rate: int | None, capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "done: so be it") as asked:
        ran = xsync(capsys, "limit", text)
        answer = xsync(capsys, "limit", "lab", text, "--json").json
    assert asked == [("limit", {"bytes_per_second": rate})] * 2
    assert ran.code == 0
    assert ran.out.startswith("limit: done: so be it (")
    assert (answer["verb"], answer["outcome"]) == ("limit", "done: so be it")


@pytest.mark.parametrize("arguments", [("5",), ("0Mbit/s",), ("fast",), ("lab", "1Gbps", "more"), ()])
def test_what_is_no_limit_is_wrong_usage(arguments: tuple[str, ...], capsys: Capture) -> None:
    make_execution("lab", Status.TRANSFERRING)
    assert xsync(capsys, "limit", *arguments).code == 2


def test_a_dead_or_ended_execution_is_not_asked(capsys: Capture) -> None:
    dead = make_execution("dead", Status.TRANSFERRING, silent=60)
    gone = xsync(capsys, "limit", "dead", "1Gbps")
    assert gone.code == 1
    assert f"xsync resume {dead.name}" in gone.err
    make_execution("ended", Status.SUCCESS, totals=CLEAN)
    ended = xsync(capsys, "limit", "ended", "none")
    assert ended.code == 2
    assert "has ended as SUCCESS" in ended.err


def test_the_help_says_how_long_it_holds(capsys: Capture) -> None:
    assert command.help is not None
    assert "until the limit that these two make changes" in " ".join(command.help.split())


def test_the_limit_that_holds_is_shown_in_words_and_json(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    until = time.time() + 60
    with Journal.open(folder) as journal:
        journal.set_limit(Limit(200e6, until))
        assert journal.limit() == Limit(200e6, until)
    with alive(folder):
        text, found = xsync(capsys, "status").out, xsync(capsys, "status", "--json").json
    assert f"\n limit 200 MB/s until {time.strftime('%H:%M', time.localtime(until))}" in text
    assert (found["limit_bytes_per_second"], found["limit_until"]) == (200e6, until)


def test_without_a_limit_or_a_runner_none_is_shown(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):
        assert "limit" not in xsync(capsys, "status").out
        assert xsync(capsys, "status", "--json").json["limit_bytes_per_second"] is None
    with Journal.open(folder) as journal:
        journal.set_limit(Limit(200e6, None, chosen=True))
        journal.set_status(Status.INTERRUPTED, "", time.time())
        assert journal.limit().chosen
    assert "limit" not in xsync(capsys, "status").out
