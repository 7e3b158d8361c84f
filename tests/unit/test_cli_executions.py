"""status, attach, report, pause, resume, cancel and fleet, on journals as runners write them."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.journal.reader import read_snapshot
from engine.model import Status
from tests.unit.cli_journals import CLEAN, DONE, FAILURES, alive, answering, make_execution, xsync
from xsync_tui.cli import asking

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.3)
    return tmp_path


# status


def test_status_of_one_is_the_view_and_the_whole_snapshot(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING, failures=FAILURES)
    with alive(folder):
        text = xsync(capsys, "status")
        found = xsync(capsys, "status", "--json").json
    assert text.code == 0
    assert "TRANSFERRING  live" in text.out
    assert "2 failed: 1 changed while read, 1 unreadable" in text.out
    assert found["type"] == "snapshot"
    assert (found["execution"], found["profile"], found["life"]) == (folder.name, "lab", "live")
    assert found["files"] == {
        "discovered": 1_000,
        "transferred": 600,
        "skipped": 100,
        "failed": 2,
        "excluded": 50,
        "deleted": 0,
        "verified": 600,
        "pending": 248,
    }
    assert found["bytes"] == {"source": 2_000_000, "transferred": 1_000_000, "pending": 500_000, "failed": 0}
    assert found["eta_seconds"] == {"low": 60.0, "high": 120.0}
    assert [agent["name"] for agent in found["agents"]] == ["agent-1", "agent-2"]
    assert found["tasks"][0]["files"]["pending"] == 0


def test_status_without_anything_says_how_to_begin(capsys: Capture) -> None:
    assert "xsync run" in xsync(capsys, "status").out
    assert xsync(capsys, "status", "--json").json == {"executions": []}


def test_status_without_a_name_lists_several_that_have_not_ended(capsys: Capture) -> None:
    one = make_execution("one", Status.TRANSFERRING)
    two = make_execution("two", Status.PAUSED)
    make_execution("three", Status.SUCCESS, totals=CLEAN)
    with alive(two):
        lines = xsync(capsys, "status").out.splitlines()
        listed = xsync(capsys, "status", "--json").json["executions"]
    assert len(lines) == 2
    assert one.name in lines[0]
    assert "RUNNER GONE" in lines[0]
    assert two.name in lines[1]
    assert "PAUSED" in lines[1]
    assert [each["execution"] for each in listed] == [one.name, two.name]


def test_status_falls_back_to_the_newest_that_ended(capsys: Capture) -> None:
    make_execution("old", Status.SUCCESS, totals=CLEAN)
    new = make_execution("new", Status.ERROR, totals=DONE, failures=FAILURES)
    assert xsync(capsys, "status", "--json").json["execution"] == new.name
    assert xsync(capsys, "status", "old", "--json").json["profile"] == "old"


def test_an_execution_that_is_not_there_is_wrong_usage(capsys: Capture) -> None:
    make_execution("lab", Status.SUCCESS)
    ran = xsync(capsys, "status", "nope")
    assert ran.code == 2
    assert "lab" in ran.err


def test_the_overview_shows_what_has_not_ended(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    ran = xsync(capsys)
    assert "Not ended:" in ran.out
    assert folder.name in ran.out


# attach


@pytest.mark.parametrize(
    ("status", "totals", "failures", "code"),
    [
        (Status.SUCCESS, CLEAN, (), 0),
        (Status.ERROR, DONE, FAILURES, 3),
        (Status.ERROR, DONE, (), 1),
        (Status.CANCELLED, DONE, (), 5),
        (Status.INTERRUPTED, DONE, (), 5),
    ],
)
def test_attach_to_an_ended_execution_gives_its_result_and_code(
    status: Status, totals: object, failures: object, code: int, capsys: Capture
) -> None:
    folder = make_execution("lab", status, totals=totals, failures=failures)  # type: ignore[arg-type]
    ran = xsync(capsys, "attach", "--json")
    first, last = ran.json_lines[0], ran.json_lines[-1]
    assert ran.code == code
    assert (first["type"], last["type"]) == ("snapshot", "result")
    assert (last["execution"], last["status"]) == (folder.name, status)
    assert last["files"]["discovered"] == 1_000
    assert set(last) >= {"seconds", "transfer_seconds", "files", "folders", "bytes", "failures", "report"}
    assert xsync(capsys, "attach").code == code


def test_an_error_with_work_left_is_not_done_but_failed(capsys: Capture) -> None:
    make_execution("lab", Status.ERROR, failures=FAILURES, message="the bucket is gone")
    ran = xsync(capsys, "attach")
    assert ran.code == 1
    assert "the bucket is gone" in ran.out
    assert "248 files left; no half file under its final name. Go on, or end it:\n   xsync resume" in ran.out


def test_the_result_names_failures_by_reason_with_examples_and_what_helps(capsys: Capture) -> None:
    make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)
    out = xsync(capsys, "attach").out
    assert "1 failed: changed while read" in out
    assert "2023/May/x.svs: size 5 became 6" in out
    assert "run again when it is quiet" in out
    assert "2023/secret\\x1b: EACCES" in out
    assert "run as an account that may" in out


def test_attach_to_a_dead_runner_says_what_is_safe_and_leaves(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING, silent=60)
    ran = xsync(capsys, "attach")
    assert ran.code == 5
    assert "RUNNER GONE" in ran.out
    assert f"xsync resume {folder.name}" in ran.out
    last = xsync(capsys, "attach", "--json").json_lines[-1]
    assert (last["type"], last["status"]) == ("result", "INTERRUPTED")


def test_on_a_terminal_ctrl_c_leaves_it_running_with_0_and_says_how_to_come_back() -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    ours, theirs = pty.openpty()
    with alive(folder):
        process = subprocess.Popen(
            [sys.executable, "-m", "xsync_tui", "attach"],
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        seen = _until(ours, b"Ctrl-C leaves it running")
        seen += _until(ours, b"\x1b[14A" if b"\x1b[14A" in seen else b"A\r")
        process.send_signal(signal.SIGINT)
        seen += _until(ours, f"xsync attach {folder.name}   Stop it".encode())
        assert process.wait(timeout=30) == 0
    os.close(ours)
    assert b"\x1b[31m" not in seen


def _until(descriptor: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        seen += os.read(descriptor, 65_536)
    return seen


# report


def test_report_prints_what_people_read_and_json_as_it_is(capsys: Capture) -> None:
    folder = make_execution("lab", Status.ERROR, totals=DONE, failures=FAILURES)
    (folder / "report.json").write_text('{\n  "execution": "x",\n  "transfer_seconds": 7.5\n}\n')
    ran = xsync(capsys, "report")
    assert ran.code == 0
    assert "s3://lab/img" in ran.out
    assert "1 failed: unreadable" in ran.out
    assert ran.out.endswith(f" report.json in\n {folder}\n")
    assert xsync(capsys, "report", "--json").out == '{\n  "execution": "x",\n  "transfer_seconds": 7.5\n}\n'
    result = xsync(capsys, "attach", "--json").json_lines[-1]
    assert (result["transfer_seconds"], result["report"]) == (7.5, str(folder / "report.json"))


def test_a_report_that_is_not_written_yet(capsys: Capture) -> None:
    make_execution("lab", Status.TRANSFERRING)
    ran = xsync(capsys, "report")
    assert ran.code == 1
    assert "xsync status" in ran.err


def test_a_broken_report_is_an_error_that_names_it(capsys: Capture) -> None:
    folder = make_execution("lab", Status.SUCCESS, totals=CLEAN)
    (folder / "report.json").write_text("{")
    ran = xsync(capsys, "attach", "--json")
    assert ran.code == 1
    assert "report.json cannot be read" in ran.err


# pause, resume, cancel, fleet


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_command_is_acknowledged_with_who_and_when(verb: str, capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "done") as asked:
        ran = xsync(capsys, verb)
        answer = xsync(capsys, verb, "lab", "--json").json
    assert asked == [(verb, {}), (verb, {})]
    assert ran.code == 0
    assert "@" in ran.err
    assert ran.out.startswith(f"{verb}: done (")
    assert (answer["type"], answer["verb"], answer["outcome"]) == ("answer", verb, "done")
    assert "@" in answer["who"]


@pytest.mark.parametrize("command", ["status", "fleet list", "status --json"])
def test_agents_of_a_runner_that_was_killed_this_moment_are_not_at_work(command: str, capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):
        assert any(word in xsync(capsys, *command.split(), folder.name).out for word in ("moving", "working"))
    said = xsync(capsys, *command.split(), folder.name).out  # within the 2 s in which its heartbeat is young
    assert not any(word in said for word in ("moving", '"working"'))
    assert "ended" in said


def test_a_runner_that_could_not_do_it_is_1(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "not done: there is no agent-9"):
        assert xsync(capsys, "pause").code == 1


def test_a_runner_that_does_not_answer_is_told_apart(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):
        ran = xsync(capsys, "pause")
        answer = xsync(capsys, "pause", "--json")
    assert ran.code == 1
    assert "has not answered" in ran.err
    assert answer.code == 1
    assert answer.json["outcome"] is None


def test_without_a_name_acting_needs_exactly_one_execution(capsys: Capture) -> None:
    assert xsync(capsys, "cancel").code == 2
    one, two = make_execution("one", Status.TRANSFERRING), make_execution("two", Status.TRANSFERRING)
    ran = xsync(capsys, "cancel")
    assert ran.code == 2
    assert one.name in ran.err
    assert two.name in ran.err


def test_cancel_ends_what_has_no_runner_and_nothing_that_has_ended_otherwise(capsys: Capture) -> None:
    dead = make_execution("dead", Status.TRANSFERRING, silent=60)
    ran = xsync(capsys, "cancel", "dead")
    assert (ran.code, "CANCELLED" in ran.out, read_snapshot(dead).status) == (0, True, Status.CANCELLED)
    make_execution("ended", Status.SUCCESS, totals=CLEAN)
    ended = xsync(capsys, "cancel", "ended")
    assert (ended.code, "has ended as SUCCESS" in ended.err, "See: xsync report" in ended.err) == (2, True, True)


@pytest.mark.parametrize("verb", [("pause",), ("fleet", "add"), ("fleet", "drain", "agent-1")])
def test_a_dead_or_ended_execution_is_not_asked(verb: tuple[str, ...], capsys: Capture) -> None:
    dead = make_execution("dead", Status.TRANSFERRING, silent=60)
    gone = xsync(capsys, *verb, "dead")
    assert gone.code == 1
    assert f"xsync resume {dead.name}" in gone.err
    make_execution("ended", Status.SUCCESS, totals=CLEAN)
    ended = xsync(capsys, *verb, "ended")
    assert ended.code == 2
    assert "has ended as SUCCESS" in ended.err
    assert "See: xsync report" in ended.err


def test_resume_of_a_paused_runner_asks_it(capsys: Capture) -> None:
    folder = make_execution("lab", Status.PAUSED)
    with answering(folder, "done") as asked:
        assert xsync(capsys, "resume").code == 0
    assert asked == [("resume", {})]


def test_resume_of_a_running_or_finished_execution_is_refused(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):
        running = xsync(capsys, "resume", "lab")
    assert running.code == 4
    assert "is running" in running.err
    make_execution("done", Status.SUCCESS, totals=CLEAN)
    assert xsync(capsys, "resume", "done").code == 2


def test_resume_without_anything_to_resume(capsys: Capture) -> None:
    make_execution("done", Status.SUCCESS, totals=CLEAN)
    ran = xsync(capsys, "resume")
    assert ran.code == 2
    assert "No execution is paused or was interrupted" in ran.err


def test_the_fleet_can_be_listed_grown_and_shrunk(capsys: Capture) -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "done") as asked:
        assert xsync(capsys, "fleet", "add", "--agents", "2").code == 0
        assert xsync(capsys, "fleet", "drain", "agent-2").code == 0
        assert xsync(capsys, "fleet", "drain", "agent-9").code == 2
        assert "agent-1" in xsync(capsys, "fleet", "list").out
        listed = json.loads(xsync(capsys, "fleet", "list", "--json").out)
    assert asked == [("add_agent", {}), ("add_agent", {}), ("drain_agent", {"agent": "agent-2"})]
    assert [agent["state"] for agent in listed["agents"]] == ["working", "idle"]
