"""``xsync survey`` as a user runs it: on a folder, on a bucket, stopped and gone on with, compared, drilled into."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.model import LocationSpec
from engine.survey.extending import Wishes
from engine.survey.facts import Amount
from engine.survey.scan import survey

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tests.conftest import SpecMaker

pytestmark = pytest.mark.usefixtures("s3")


def _xsync(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xsync_tui", "survey", *arguments]
    environment = os.environ | {"XSYNC_HOME": str(home), "COLUMNS": "80"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)


@pytest.fixture
def filled(bucket: str, boto: S3Client) -> str:
    """Objects in two folders, some of them only zeros, a key of another case, and one object of no file."""
    for number in range(6):
        boto.put_object(Bucket=bucket, Key=f"lab/2024/{number}.raw", Body=os.urandom(20_000))
        boto.put_object(Bucket=bucket, Key=f"lab/2025/01/{number}.txt", Body=b"0" * 20_000)
    boto.put_object(Bucket=bucket, Key="lab/2025/01/0.TXT", Body=b"")
    return bucket


def test_a_bucket_is_surveyed_sampled_and_probed(filled: str, s3_spec: SpecMaker, tmp_path: Path) -> None:
    spec = s3_spec(filled, "lab")
    wishes = Wishes(destination=LocationSpec("s3://other/" + "p" * 1_011, "r"), sample=True, probe=True)
    report = survey(spec, tmp_path, processes=1, wishes=wishes)
    assert (report.files, report.bytes, report.partial) == (13, 240_000, False)
    assert (report.hard_links, report.sparse) == (None, None)
    assert [(each.path, each.bytes) for each in report.layout.folders][:2] == [("2024", 120_000), ("2025", 120_000)]
    assert [(each.kind, each.count) for each in report.hazards] == [("key over 1,024 bytes", 7)]
    found = report.compressibility
    assert found is not None
    assert found.ratio == pytest.approx(0.5, abs=0.01)
    assert (found.sampled_files, found.covered) == (12, 1.0)
    assert report.probe is not None
    assert report.probe.opened == 12
    assert sum(each.bytes for each in report.probe.rates) == 240_000
    assert filled in report.probe.mount


def test_two_surveys_of_a_bucket_compare(filled: str, s3_spec: SpecMaker, boto: S3Client, tmp_path: Path) -> None:
    spec = s3_spec(filled, "lab")
    survey(spec, tmp_path, processes=1)
    boto.put_object(Bucket=filled, Key="lab/2026/new", Body=b"12345")
    boto.delete_object(Bucket=filled, Key="lab/2024/0.raw")
    found = survey(spec, tmp_path, processes=1, wishes=Wishes(compare=True)).comparison
    assert found is not None
    assert (found.new, found.changed, found.removed) == (Amount(1, 5), Amount(), Amount(1, 20_000))


def test_the_command_from_the_first_survey_to_the_next(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    (data / "2024").mkdir(parents=True)
    (data / "2024" / "a").write_bytes(b"0" * 300_000)
    os.link(data / "2024" / "a", data / "2024" / "b")
    first = _xsync(home, str(data), "--sample", "--probe", "--processes", "1")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(" 2 files, 600 kB: 0 % of the files are under 256 KiB")
    for label in ("hard links", "compresses", "first byte", "reads"):
        assert f"\n {label}" in first.stdout
    assert all(len(line) <= 80 for line in first.stdout.splitlines())
    (data / "2025").mkdir()
    (data / "2025" / "c").write_bytes(b"1")
    second = _xsync(home, str(data), "--compare", "--json", "--processes", "1")
    found: dict[str, Any] = json.loads(second.stdout)
    assert (found["comparison"]["new"], found["small"]["files"]) == ({"files": 1, "bytes": 1}, 1)
    shown = _xsync(home, str(data), "--folder", "2025", "--json")
    assert [each["path"] for each in json.loads(shown.stdout)["folders"]] == ["2025"]


@pytest.mark.parametrize("stop", ["os.kill(os.getpid(), signal.SIGTERM)", "os.killpg(0, signal.SIGINT)"])
def test_a_survey_that_was_stopped_goes_on(tmp_path: Path, stop: str) -> None:
    """Stopped while it lists, also by Ctrl-C, which its workers get too: it says it is partial; the next has all."""
    data, home = tmp_path / "data", tmp_path / "home"
    for number in range(4_000):
        (data / f"{number % 40}" / f"{number}").mkdir(parents=True)
    script = (
        "import os, signal, sys\n"
        "from engine.survey import scan\n"
        "scan.UNIT_ROWS = 1\n"
        "scan.UNIT_FOLDERS = 1\n"
        "real = scan._hand_out\n"
        "turns = iter(range(50))\n"
        "def hand_out(waiting, crew):\n"
        "    if next(turns, None) == 49:\n"
        f"        {stop}\n"
        "    real(waiting, crew)\n"
        "scan._hand_out = hand_out\n"
        "if __name__ == '__main__':\n"
        "    from xsync_tui.cli.entry import run\n"
        "    sys.exit(run(sys.argv[1:]))\n"
    )
    (tmp_path / "stopped.py").write_text(script)
    environment = os.environ | {"XSYNC_HOME": str(home), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, str(tmp_path / "stopped.py"), "survey", str(data), "--processes", "1", "--json"]
    stopped = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=100, start_new_session=True
    )
    assert stopped.returncode == 5, stopped.stderr
    partial = json.loads(stopped.stdout)
    assert partial["partial"]
    assert 0 < partial["directories"] < 4_041
    assert "goes on from here" in stopped.stderr
    done = _xsync(home, str(data), "--processes", "1", "--json")
    found = json.loads(done.stdout)
    assert (found["partial"], found["directories"], len(found["continued_at"])) == (False, 4_041, 1)
    assert found["surveyed_at"] == partial["surveyed_at"]
    assert "Continued: " in done.stderr
