"""``xsync cleanup``: discards what is surely ours at a destination, and nothing else."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import home, locks
from engine.execution import cleanup
from engine.journal.reader import read_left_open
from engine.journal.records import Execution, this_runner
from engine.journal.writer import Journal
from engine.locations.registry import destination_key, open_location
from engine.model import Identity, LocationSpec, Migration, Status
from tests.conftest import SpecMaker
from tests.unit.cli_journals import xsync

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Capture = pytest.CaptureFixture[str]
WHO = Identity(1, 2, 3, 4, 5)


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def execution(
    name: str, spec: LocationSpec, uploads: dict[bytes, str], intents: dict[bytes, float], status: Status
) -> Path:
    """An execution that had these uploads open when it ended."""
    location = open_location(spec)
    identity = location.identity()
    location.close()
    number = f"20250513-214800-{name}-3f2a"
    folder = home.prepare_home().executions / number
    migration = Migration(LocationSpec("/mnt/lab"), spec, name=name)
    with Journal.create(folder, Execution(number, migration, "file x", identity, 1.0), this_runner()) as journal:
        for path, upload_id in uploads.items():
            journal.add_intent(path, 1.0)
            journal.open_upload(path, upload_id, WHO, 16 << 20, 1.0)
        for path, at in intents.items():
            journal.add_intent(path, at)
        journal.set_status(status, "", 2.0)
    return folder


def begun(boto: S3Client, bucket: str, key: str) -> str:
    return boto.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]


def open_keys(boto: S3Client, bucket: str) -> list[str]:
    return sorted(upload["Key"] for upload in boto.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def how_to_reach(spec: LocationSpec) -> list[str]:
    return ["--endpoint-url", str(spec.endpoint_url), "--region", str(spec.region)]


def test_uploads_of_journals_and_intents_go_and_others_stay(
    capsys: Capture, boto: S3Client, bucket: str, s3_spec: SpecMaker
) -> None:
    spec, below = s3_spec(bucket, "data"), s3_spec(bucket, "data/sub")
    ours = begun(boto, bucket, "data/large")
    nested = begun(boto, bucket, "data/sub/large")
    for key in ("data/meant", "data/foreign", "data/meant later", "data/large", "elsewhere"):
        begun(boto, bucket, key)
    now = time.time()
    intents = {b"meant": now - 60, b"meant later": now + 3_600}
    one = execution("one", spec, {b"large": ours}, intents, Status.INTERRUPTED)
    two = execution("two", below, {b"large": nested}, {}, Status.CANCELLED)

    listed = xsync(capsys, "cleanup", spec.url, *how_to_reach(spec), "--json").json
    assert listed["discarded"] == 0
    kinds = {(row["path"], row["ours"], row["execution"], row["resumable"]) for row in listed["leftovers"]}
    assert kinds == {
        ("large", "journal", one.name, True),
        ("large", None, None, False),
        ("sub/large", "journal", two.name, False),
        ("meant", "intent", one.name, False),
        ("foreign", None, None, False),
        ("meant later", None, None, False),
    }
    assert len(open_keys(boto, bucket)) == 7

    text = xsync(capsys, "cleanup", spec.url, *how_to_reach(spec))
    assert "3 of xsync" in text.out and "3 not known to be xsync's here" in text.out and "--yes" in text.out
    assert "xsync resume could go on with it" in text.out
    assert len(open_keys(boto, bucket)) == 7

    done = xsync(capsys, "cleanup", spec.url, *how_to_reach(spec), "--yes", "--json")
    assert (done.code, done.json["discarded"]) == (0, 3)
    assert open_keys(boto, bucket) == ["data/foreign", "data/large", "data/meant later", "elsewhere"]
    assert read_left_open(one)[0] == read_left_open(two)[0] == []


def test_a_bucket_made_anew_has_nothing_of_ours(
    capsys: Capture, boto: S3Client, bucket: str, s3_spec: SpecMaker, state_home: Path
) -> None:
    spec = s3_spec(bucket, "data")
    folder = execution("one", spec, {}, {b"meant": 1.0}, Status.INTERRUPTED)
    begun(boto, bucket, "data/meant")
    assert xsync(capsys, "cleanup", spec.url, *how_to_reach(spec), "--json").json["leftovers"][0]["ours"] == "intent"
    db = sqlite3.connect(folder / home.JOURNAL_NAME)
    with db:
        db.execute("UPDATE execution SET destination_identity = 's3 ' || 'earlier' || ' /data/'")
    db.close()
    assert xsync(capsys, "cleanup", spec.url, *how_to_reach(spec), "--json").json["leftovers"][0]["ours"] is None


def test_while_a_run_writes_there_it_is_refused(
    capsys: Capture, boto: S3Client, bucket: str, s3_spec: SpecMaker
) -> None:
    spec = s3_spec(bucket, "data")
    holder = locks.Holder("20250513-run", None, "me", "here", os.getpid(), time.time())
    with locks.destination_lock(home.prepare_home().locks, *destination_key(s3_spec(bucket, "data/sub")), holder):
        refused = xsync(capsys, "cleanup", spec.url, *how_to_reach(spec), "--yes")
    assert refused.code == 4
    assert "20250513-run" in refused.err


def test_temporaries_in_folders_go_when_they_are_quiet(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    (target / "a").mkdir(parents=True)
    names = {
        "ours": "a/.xsync-0123456789abcdef",
        "young": "a/.xsync-fedcba9876543210",
        "journal": ".xsync-00000000000000aa",
        "named alike": "a/.xsync-notes",
    }
    for name in names.values():
        (target / name).write_bytes(b"x")
    spec = LocationSpec(str(target))
    execution("one", spec, {b"large": ".xsync-00000000000000aa"}, {}, Status.INTERRUPTED)
    found = {row["path"]: row["ours"] for row in xsync(capsys, "cleanup", str(target), "--json").json["leftovers"]}
    assert found == {
        names["ours"]: None,
        names["young"]: None,
        names["journal"]: "journal",
        names["named alike"]: None,
    }
    monkeypatch.setattr(cleanup, "QUIET_SECONDS", -5.0)  # a change time cannot be set back
    done = xsync(capsys, "cleanup", str(target), "--yes", "--json").json
    assert done["discarded"] == 3
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == [".xsync-notes"]


def test_a_profile_names_its_destination(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    assert xsync(capsys, "profiles", "new", "lab", str(tmp_path), str(tmp_path / "target")).code == 0
    assert "Nothing is open" in xsync(capsys, "cleanup", "lab").out
    assert xsync(capsys, "cleanup", "lub").code == 2
