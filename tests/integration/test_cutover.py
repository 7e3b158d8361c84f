"""Cutovers as a user does them: passes, estimate, checklist to the sign-off; killed, changed under it, refused."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.journal.writer import Journal
from engine.model import Status
from tests.indoors import Indoors
from tests.privileges import mounted
from tests.support import Finished, Xsync, make_source, tree_of
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

PATCHED = """
import os, signal, sys
from xsync_tui.cli import cutover_steps, running
Checklist = cutover_steps.Checklist

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

{patch}
from xsync_tui.__main__ import main
main()
"""


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Indoors(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=60)


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    folder = tmp_path / "destination"
    folder.mkdir()
    return folder


def profile(xsync: Xsync, source: Path, destination: str | Path, options: str = "", reach: str = "") -> None:
    folder = xsync.home / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lab.toml").write_text(
        f'schema = 1\nname = "lab"\n[source]\nurl = "{source}"\n[destination]\nurl = "{destination}"\n{reach}\n'
        f'[cutover]\nwindow = "1 h"\n[options]\n{options}\n'
    )


def patched(xsync: Xsync, patch: str) -> Finished:
    """``xsync cutover lab --yes`` with something happening inside it."""
    done = subprocess.run(
        [sys.executable, "-c", PATCHED.format(patch=patch), "cutover", "lab", "--yes", "--json"],
        env=os.environ | {"XSYNC_HOME": str(xsync.home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return Finished(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


def record(xsync: Xsync) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((xsync.home / "cutovers" / "lab.json").read_text())
    return found


def steps(done: Finished) -> list[str]:
    return [line["step"] for line in done.lines if line["type"] == "step"]


ALL = ["readiness", "read-only", "delta", "verification", "sign-off", "rollback", "hand-over"]


def test_from_passes_over_the_estimate_to_the_sign_off(xsync: Xsync, source: Path, s3: S3Server, bucket: str) -> None:
    reach = f'endpoint_url = "{s3.endpoint_url}"\nregion = "{s3.region}"'
    profile(xsync, source, f"s3://{bucket}/data", 'preserve_deleted_files = "REMOVE"', reach)
    assert xsync.run("run", "lab").code == 0
    [first] = xsync.run("cutover", "lab", "--estimate").lines
    assert (first["verdict"], len(first["past_passes"])) == ("UNKNOWN", 1)
    (source / "top0" / "new").write_bytes(b"x" * 5_000)
    assert xsync.run("run", "lab").code == 0
    [ready] = xsync.run("cutover", "lab", "--estimate").lines
    assert ready["verdict"] == "READY"
    assert ready["past_passes"][1]["files"] == 1
    assert {"scan", "delta", "verification", "deletions"} <= set(ready["freeze"]["parts"])
    assert ready["freeze"]["requests"] == {"LIST": 3}
    assert ready["freeze"]["seconds"]["high"] < 3_600
    assert not (xsync.home / "cutovers" / "lab.json").exists()

    (source / "top1" / "late").write_bytes(b"late")
    next(source.glob("top2/*/*.dat")).unlink()
    done = xsync.run("cutover", "lab", "--yes")
    assert done.code == 0, done.errors
    assert steps(done) == ALL
    assert done.result["files"]["transferred"] == 1
    assert done.result["files"]["deleted"] == 1
    assert verify(source, s3, bucket, "data").differences == ()
    report = json.loads(Path(done.lines[-1]["report"]).read_text())
    assert report["verification"]["files"] == report["delta"]["files"]["discovered"] == 61
    assert report["verification"]["differences"] == {}
    assert report["verification"]["verified"] == {"etag": 61}
    assert all(report["steps"][step]["who"] and report["steps"][step]["at"] for step in ALL[:4])
    assert "no change seen for" in report["steps"]["read-only"]["text"]
    assert "by nobody who looked" in report["steps"]["read-only"]["text"]
    assert any(f"xsync run s3://{bucket}/data NEW-FOLDER --endpoint-url" in text for text in report["rollback"])
    text = Path(done.lines[-1]["report"]).with_suffix(".md").read_text()
    assert "POINT OF NO RETURN" in text
    assert "61 files and" in text
    options = json.loads((xsync.folder() / "report.json").read_text())["migration"]["options"]
    assert options["delta"] == "destination"

    again = xsync.run("cutover", "lab", "--yes")
    assert (again.code, steps(again), again.lines[-1]["done"]) == (0, [], True)
    refused = xsync.run("run", "lab")
    assert refused.code == 4
    assert "was handed over to its users" in refused.message
    taken_back = xsync.run("cutover", "lab", "--yes", "--restart")
    assert taken_back.code == 4
    assert "replaces what they wrote" in taken_back.message


def test_what_was_handed_over_is_refused_to_every_run_whatever_it_is_called(
    xsync: Xsync, source: Path, destination: Path
) -> None:
    profile(xsync, source, destination)
    assert xsync.run("cutover", "lab", "--yes").code == 0
    written = destination / "top1" / "whole"
    written.write_text("by a user, after the switch")
    other = source.with_name("other")
    make_source(other, files=3)
    for where in (destination, destination / "top1", destination.parent):
        bare = xsync.run("run", str(other if where == destination.parent else source), str(where))
        assert bare.code == 4, where
        assert "by the cutover of lab" in bare.message
    assert written.read_text() == "by a user, after the switch"


@pytest.mark.parametrize(
    ("method", "left"),
    [
        ("_final_delta", ALL[2:]),
        ("_verify", ALL[3:]),
        ("_hand_over", ALL[3:]),
    ],
)
def test_killed_between_steps_it_goes_on_with_the_first_that_is_not_done(
    xsync: Xsync, source: Path, destination: Path, method: str, left: list[str]
) -> None:
    profile(xsync, source, destination)
    assert patched(xsync, f"Checklist.{method} = die").code == -9
    done = xsync.run("cutover", "lab", "--yes")
    assert (done.code, steps(done)) == (0, left), done.errors
    assert len(xsync.executions()) == 1
    assert tree_of(destination) == tree_of(source)
    assert set(record(xsync)["steps"]) == set(ALL)


def test_killed_in_the_final_delta_it_goes_on_with_the_same_execution(
    xsync: Xsync, source: Path, destination: Path
) -> None:
    profile(xsync, source, destination)
    assert patched(xsync, "running._follow = die").code == -9
    assert record(xsync)["delta"] == xsync.executions()[-1]
    done = xsync.run("cutover", "lab", "--yes")
    assert (done.code, steps(done)) == (0, ALL[2:]), done.errors
    assert len(xsync.executions()) == 1
    assert tree_of(destination) == tree_of(source)


def test_a_final_delta_that_was_cancelled_is_done_anew(xsync: Xsync, source: Path, destination: Path) -> None:
    profile(xsync, source, destination)
    assert patched(xsync, "running._follow = die").code == -9
    xsync.wait_for(lambda now: not now.runner_alive)
    with Journal.open(xsync.folder()) as journal:  # as somebody does after an interruption
        journal.set_status(Status.CANCELLED, "", time.time())
    done = xsync.run("cutover", "lab", "--yes")
    assert (done.code, steps(done)) == (0, ALL[2:]), done.errors
    assert record(xsync)["delta"] == xsync.executions()[-1]
    assert (len(xsync.executions()), tree_of(destination)) == (2, tree_of(source))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("open(place + '/new', 'w').write('x')", "1 file new or changed"),
        ("open(place + '/kept', 'a').write('more')", "1 file new or changed"),
        ("os.unlink(place + '/kept')", "1 file gone"),
    ],
)
def test_a_source_that_changes_after_the_final_delta_is_caught(
    xsync: Xsync, source: Path, destination: Path, change: str, said: str
) -> None:
    (source / "top0" / "kept").write_text("before")
    profile(xsync, source, destination, 'preserve_deleted_files = "REMOVE"\nmax_deletions = 5')
    patch = f"""
compare = Checklist._compare
def changed(self, *arguments):
    place = {str(source / "top0")!r}
    {change}
    return compare(self, *arguments)
Checklist._compare = changed
"""
    done = patched(xsync, patch)
    assert done.code == 3
    assert steps(done) == ALL[:3]
    assert f"The source changed since the final delta: {said}" in done.errors
    assert record(xsync)["delta"] is None
    again = xsync.run("cutover", "lab", "--yes")
    assert (again.code, steps(again)) == (0, ALL[2:]), again.errors
    assert len(xsync.executions()) == 2
    assert tree_of(destination) == tree_of(source)


def test_a_destination_that_differs_is_not_handed_over(xsync: Xsync, source: Path, destination: Path) -> None:
    profile(xsync, source, destination)
    (source / "top1" / "whole").write_bytes(b"x" * 5_000)
    patch = f"""
compare = Checklist._compare
def changed(self, *arguments):
    os.truncate({str(destination / "top1" / "whole")!r}, 3)
    return compare(self, *arguments)
Checklist._compare = changed
"""
    done = patched(xsync, patch)
    assert done.code == 3
    assert "The two sides differ: 1 size" in done.errors
    assert "The source changed" not in done.errors
    assert record(xsync)["stopped"].startswith("The two sides differ: 1 size")
    assert xsync.run("cutover", "lab", "--yes").code == 0
    assert record(xsync)["stopped"] == ""
    assert tree_of(destination) == tree_of(source)


def test_files_that_fail_in_the_final_delta_stop_it(xsync: Xsync, source: Path, destination: Path) -> None:
    clash = source / "top0" / "sub0"
    profile(xsync, source, destination)
    (clash / ("x" * 250)).write_text("fits")
    blocked = destination / "top0"
    blocked.write_text("a file where a folder belongs")
    profile(xsync, source, destination, 'overwrite_mode = "NEVER"')
    done = xsync.run("cutover", "lab", "--yes")
    assert done.code == 3
    assert (steps(done), record(xsync)["delta"]) == (ALL[:2], None)
    assert "Put that right, then xsync cutover lab" in done.lines[-1]["message"]
    blocked.unlink()
    assert xsync.run("cutover", "lab", "--yes").code == 0


def test_another_run_after_the_final_delta_undoes_it(xsync: Xsync, source: Path, destination: Path) -> None:
    profile(xsync, source, destination)
    assert patched(xsync, "Checklist._verify = die").code == -9
    assert xsync.run("run", source, destination).code == 0
    newer = xsync.executions()[-1]
    done = xsync.run("cutover", "lab", "--yes")
    assert done.code == 3
    assert f"{newer} ran after the final delta" in done.lines[-1]["message"]
    assert xsync.run("cutover", "lab", "--yes").code == 0
    assert len(xsync.executions()) == 3


def test_off_a_terminal_it_needs_yes(xsync: Xsync, source: Path, destination: Path) -> None:
    profile(xsync, source, destination)
    done = xsync.run("cutover", "lab")
    assert done.code == 4
    assert "with --yes" in done.message
    assert not list(destination.iterdir())
    assert not (xsync.home / "cutovers" / "lab.json").exists()


def test_a_profile_that_changed_in_between_is_refused_until_it_begins_anew(
    xsync: Xsync, source: Path, destination: Path
) -> None:
    profile(xsync, source, destination)
    assert patched(xsync, "Checklist._final_delta = die").code == -9
    profile(xsync, source, destination, 'overwrite_mode = "NEWER"')
    refused = xsync.run("cutover", "lab", "--yes")
    assert refused.code == 4
    assert "was changed since its cutover began" in refused.message
    assert steps(xsync.run("cutover", "lab", "--yes", "--restart")) == ALL


def test_nothing_is_handed_over_while_a_schedule_would_run_it_again(
    xsync: Xsync, source: Path, destination: Path
) -> None:
    profile(xsync, source, destination)
    (xsync.home / "schedules").mkdir()
    schedule = xsync.home / "schedules" / "lab.json"
    schedule.write_text('{"name": "lab", "cron": "0 2 * * *", "installed_at": 1.0, "installed_as": "crontab"}')
    done = xsync.run("cutover", "lab", "--yes")
    assert (done.code, steps(done)) == (4, ALL[:-1])
    assert "First: xsync schedule remove lab" in done.message
    schedule.unlink()
    assert steps(xsync.run("cutover", "lab", "--yes")) == ALL[3:]


def test_a_read_only_mount_is_recognised_and_no_more_is_claimed(
    xsync: Xsync, source: Path, destination: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mounted"
    place.mkdir()
    profile(xsync, place, destination)
    with mounted(place, "--bind", "-o", "ro", source):
        assert patched(xsync, "Checklist._verify = die").code == -9
        text = record(xsync)["steps"]["read-only"]["text"]
        assert text.startswith("mounted read-only on this host (")
        assert "whether others can write to it is not known" in text
        assert xsync.run("cutover", "lab", "--estimate").lines[0]["freeze"] is None
    with mounted(place, "--bind", source):
        done = xsync.run("cutover", "lab", "--yes")
        assert (done.code, steps(done)) == (0, ALL[1:]), done.errors
        assert "no change seen for" in record(xsync)["steps"]["read-only"]["text"]


def test_only_what_was_sent_is_verified_if_that_is_chosen(xsync: Xsync, source: Path, destination: Path) -> None:
    profile(xsync, source, destination)
    done = xsync.run("cutover", "lab", "--yes", "--verify-mode", "ONLY_FILES_TRANSFERRED")
    assert done.code == 0, done.errors
    report = json.loads(Path(done.lines[-1]["report"]).read_text())
    assert report["verification"] is None
    assert any("no one looked at both sides after it" in text for text in report["not_known"])


def on_a_terminal(xsync: Xsync, typed: str, seconds: float = 60) -> tuple[int, str]:
    """Exit code and screen of ``xsync cutover lab`` for somebody who types ``typed``."""
    parent, child = pty.openpty()
    environment = os.environ | {"XSYNC_HOME": str(xsync.home), "TERM": "dumb", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "xsync_tui", "cutover", "lab"], stdin=child, stdout=child, stderr=child, env=environment
    )
    os.close(child)
    os.write(parent, typed.encode())
    seen = b""
    try:
        while data := os.read(parent, 65_536):
            seen += data
    except OSError:  # EIO: the other end is closed
        pass
    os.close(parent)
    return process.wait(seconds), seen.decode(errors="replace")


def test_on_a_terminal_the_name_of_the_profile_is_typed(xsync: Xsync, source: Path, destination: Path) -> None:
    profile(xsync, source, destination)
    code, seen = on_a_terminal(xsync, "labs\n")
    assert code == 4
    assert "not confirmed" in seen
    assert not list(destination.iterdir())
    code, seen = on_a_terminal(xsync, "lab\nlab\nlab\n")
    assert code == 0, seen
    assert "confirmed by name" in record(xsync)["steps"]["read-only"]["text"]
    assert "--- POINT OF NO RETURN" in seen
    assert tree_of(destination) == tree_of(source)
