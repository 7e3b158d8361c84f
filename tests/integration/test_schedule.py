"""Schedules: what is installed for cron and systemd, and what their command does, with the real xsync.

The programs ``crontab`` and ``systemctl`` are stand-ins that keep what they are given: tests must not change the
timers of the account that runs them.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.execution.scheduling.schedule import MOST_IDENTICAL_FAILURES, Ended, ScheduleRecord, after_end
from engine.execution.scheduling.timers import Crontab, SystemdTimers, command_of
from engine.recurrence import Recurrence
from tests.indoors import Indoors
from tests.support import Xsync, make_source

_CRONTAB = """\
#!/bin/sh
kept="{folder}/crontab.txt"
if [ "$1" = -l ]; then [ -f "$kept" ] && exec cat "$kept"; echo "no crontab for tester" >&2; exit 1; fi
exec cat > "$kept"
"""

_SYSTEMCTL = """\
#!/bin/sh
echo "$@" >> "{folder}/systemctl.txt"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first on PATH with stand-ins, and what they were given."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in (("crontab", _CRONTAB), ("systemctl", _SYSTEMCTL)):
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


@pytest.fixture
def xsync(tmp_path: Path, programs: Path) -> Xsync:
    return Indoors(tmp_path / "home")


def _profile(xsync: Xsync, source: Path, destination: Path, extra: str = "") -> None:
    (xsync.home / "profiles").mkdir(parents=True, exist_ok=True)
    (xsync.home / "profiles" / "lab.toml").write_text(
        f'schema = 1\nname = "lab"\n[source]\nurl = "file://{source}"\n[destination]\nurl = "file://{destination}"\n{extra}'
    )


def test_a_crontab_keeps_every_other_line_and_gets_one_a_profile(programs: Path) -> None:
    other = "5 4 * * * /usr/bin/true # xsync schedule of somebody else"
    (programs / "crontab.txt").write_text(f"{other}\n")
    crontab = Crontab()
    crontab.install("lab", Recurrence("*/5 * * * *"), ["/bin/echo", "50 % of it"])
    crontab.install("lab", Recurrence("0 3 * * *"), ["/bin/echo", "50 % of it"])
    crontab.install("lab2", Recurrence("0 4 * * *"), ["/bin/true"])
    assert (programs / "crontab.txt").read_text().splitlines() == [
        other,
        r"0 3 * * * /bin/echo '50 \% of it' # xsync schedule lab",
        "0 4 * * * /bin/true # xsync schedule lab2",
    ]
    assert crontab.remove("lab")
    assert not crontab.remove("lab")
    assert (programs / "crontab.txt").read_text().splitlines() == [other, "0 4 * * * /bin/true # xsync schedule lab2"]


def test_units_of_systemd_start_the_command_at_its_times(programs: Path, tmp_path: Path) -> None:
    timers = SystemdTimers()
    place = timers.install("lab", Recurrence("30 4 1,15 * 5"), [sys.executable, "-c", 'print("100 %", "$HOME")'])
    timer, service = Path(place), Path(place).with_suffix(".service")
    assert [line for line in timer.read_text().splitlines() if line.startswith("OnCalendar")] == [
        "OnCalendar=*-*-01,15 04:30:00",
        "OnCalendar=Fri *-*-* 04:30:00",
    ]
    start = next(line for line in service.read_text().splitlines() if line.startswith("ExecStart"))
    assert start.endswith(r'"-c" "print(\"100 %%\", \"$$HOME\")"')
    calls = (programs / "systemctl.txt").read_text().splitlines()
    assert calls == ["--user daemon-reload", "--user enable xsync-lab.timer", "--user restart xsync-lab.timer"]
    if shutil.which("systemd-analyze"):
        checked = subprocess.run(
            ["systemd-analyze", "--user", "verify", str(timer), str(service)],
            capture_output=True,
            text=True,
            env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
            check=False,
        )
        assert not [line for line in checked.stderr.splitlines() if "xsync-lab" in line]
    assert timers.remove("lab")
    assert not timer.exists()
    assert not service.exists()


def test_the_command_of_a_timer_finds_the_same_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", "/srv/x y")
    assert command_of("lab")[:2] == ["/usr/bin/env", "XSYNC_HOME=/srv/x y"]
    assert command_of("lab")[-3:] == ["schedule", "run", "lab"]


def test_a_schedule_is_installed_runs_is_listed_and_removed(xsync: Xsync, programs: Path, tmp_path: Path) -> None:
    source, destination = make_source(tmp_path / "source", files=20), tmp_path / "destination"
    destination.mkdir()
    _profile(xsync, source, destination, '[schedule]\nevery = "6 h"\n')
    installed = xsync.run("schedule", "install", "lab", "--with", "crontab")
    assert (installed.code, installed.lines[0]["cron"]) == (0, "0 */6 * * *")
    assert "schedule run lab # xsync schedule lab" in (programs / "crontab.txt").read_text()
    ran = xsync.run("schedule", "run", "lab")
    assert (ran.code, ran.result["files"]["transferred"]) == (0, 20)
    [listed] = xsync.run("schedule", "list").lines[0]["schedules"]
    assert (listed["runs"], listed["skipped"], listed["last_code"]) == (1, 0, 0)
    assert listed["last_execution"] == xsync.executions()[-1]
    assert xsync.run("schedule", "remove", "lab").code == 0
    assert (programs / "crontab.txt").read_text() == ""
    assert xsync.run("schedule", "run", "lab").code == 4
    assert xsync.run("schedule", "remove", "lab").code == 2


def test_a_time_that_comes_while_the_destination_is_held_is_skipped_and_counted(xsync: Xsync, tmp_path: Path) -> None:
    source, destination = make_source(tmp_path / "source", files=1, large=(40 << 20,)), tmp_path / "destination"
    destination.mkdir()
    _profile(xsync, source, destination)
    assert xsync.run("schedule", "install", "lab", "--cron", "0 2 * * *", "--with", "crontab").code == 0
    held = xsync.start("run", "lab", "--limit", "10 MB/s")
    xsync.wait_for(lambda now: now.status == "TRANSFERRING")
    skipped = xsync.run("schedule", "run", "lab")
    assert (skipped.code, "skipped" in skipped.errors) == (0, True)
    [listed] = xsync.run("schedule", "list").lines[0]["schedules"]
    assert (listed["runs"], listed["skipped"]) == (0, 1)
    held.terminate()
    assert xsync.finish(held).code == 5


def test_after_too_many_ends_alike_it_stops_until_it_is_installed_anew(xsync: Xsync, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    notify = f'[notify]\ncommand = ["/bin/sh", "-c", "cat > {told}"]\n'
    (tmp_path / "destination").mkdir()
    _profile(xsync, tmp_path / "nowhere", tmp_path / "destination", notify)
    assert xsync.run("schedule", "install", "lab", "--every", "15 min", "--with", "crontab").code == 0
    codes = [xsync.run("schedule", "run", "lab").code for _ in range(MOST_IDENTICAL_FAILURES + 1)]
    assert codes == [2] * MOST_IDENTICAL_FAILURES + [4]
    [listed] = xsync.run("schedule", "list").lines[0]["schedules"]
    assert listed["stopped_at"] is not None
    assert "nowhere" in listed["last_message"]
    assert "stopped itself" in told.read_text()
    assert xsync.run("schedule", "install", "lab", "--every", "15 min", "--with", "crontab").code == 0
    assert xsync.run("schedule", "run", "lab").code == 2


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('cron = "0 2 * *"', "schedule.cron"),
        ('every = "7 min"', "such as 5 min"),
        ('cron = "0 2 * * *"\nevery = "6 h"', "schedule.every"),
        ('when = "now"', "schedule.when"),
    ],
)
def test_a_profile_that_says_it_wrongly_is_refused(xsync: Xsync, tmp_path: Path, section: str, said: str) -> None:
    _profile(xsync, tmp_path, tmp_path / "destination", f"[schedule]\n{section}\n")
    refused = xsync.run("schedule", "install", "lab", "--with", "crontab")
    assert (refused.code, said in refused.message) == (2, True)


def test_a_profile_that_does_not_say_when_names_what_to_add(xsync: Xsync, tmp_path: Path) -> None:
    _profile(xsync, tmp_path, tmp_path / "destination")
    refused = xsync.run("schedule", "install", "lab", "--with", "crontab")
    assert (refused.code, "[schedule]" in refused.message) == (2, True)


_RECORD = ScheduleRecord("lab", "0 * * * *", 0.0, "crontab")


def test_times_that_passed_while_it_ran_are_counted_as_skipped() -> None:
    record = after_end(_RECORD, Ended(10.0, 10.0 + 3 * 3_600, 0, "", "x"))
    assert (record.runs, record.skipped, record.skipped_last) == (1, 3, 3)


def test_only_ends_alike_in_a_row_stop_it() -> None:
    record = _RECORD
    for code, message in [(1, "a"), (1, "a"), (1, "b"), (3, "b"), (3, "b"), (3, "b"), (3, "b"), (3, "b"), (1, "b")]:
        record = after_end(record, Ended(0.0, 1.0, code, message, None))
    assert (record.same, record.stopped_at) == (1, None)
