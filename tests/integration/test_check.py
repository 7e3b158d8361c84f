"""``xsync check`` on real locations: what it finds, what it leaves behind (nothing), and what it would take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.execution.checking.destinations import check_destination
from engine.execution.checking.findings import Expected
from engine.execution.checking.host import check_host, room_here
from engine.execution.checking.network import check_credentials
from engine.execution.checking.policy import iam_policy
from engine.execution.checking.sources import check_source
from engine.home import Home
from engine.locations.base import Trial
from engine.locations.registry import open_location
from engine.model import FilterSpec, LocationSpec, Migration, TransferOptions
from tests.conftest import SpecMaker
from tests.privileges import NOBODY, as_nobody, mounted, needs_root
from tests.support import Xsync, make_source
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=30)


def _texts(found: dict[str, Any], level: str) -> str:
    return "\n".join(f"{each['about']}: {each['text']}" for each in found["findings"] if each["level"] == level)


def test_a_folder_and_a_bucket_that_will_do(
    xsync: Xsync, source: Path, bucket: str, s3: S3Server, boto: S3Client
) -> None:
    assert xsync.run("survey", source).code == 0
    ran = xsync.run("check", source, f"s3://{bucket}/lab", "--endpoint-url", s3.endpoint_url)
    [found] = ran.lines
    assert (ran.code, found["ok"], found["failures"]) == (0, True, 0)
    fine = _texts(found, "ok")
    assert "files in 6 places opened and read" in fine
    assert "the canary was deleted again" in fine
    assert "credentials: do not end" in fine
    assert "connecting takes" in fine
    assert "clock: " in fine
    assert "about 3.60 kB are needed" in fine  # 30 files of the survey
    assert boto.list_objects_v2(Bucket=bucket).get("KeyCount", 0) == 0
    assert boto.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_the_server_of_the_tests_is_seen_to_check_or_not(bucket: str, s3_spec: SpecMaker) -> None:
    migration = Migration(LocationSpec("file:///nowhere"), s3_spec(bucket))
    found = list(check_destination(open_location(s3_spec(bucket)), migration, None))
    [said] = [each for each in found if "checksum" in each.text or "CRC64NVME" in each.text]
    assert said.level == ("ok" if "refuses" in said.text else "warning")


def test_wrong_credentials_a_closed_port_and_a_missing_source_are_each_named(
    xsync: Xsync, source: Path, bucket: str, s3: S3Server
) -> None:
    xsync.env["AWS_SECRET_ACCESS_KEY"] = "wrong"
    wrong = xsync.run("check", source, f"s3://{bucket}", "--endpoint-url", s3.endpoint_url)
    assert wrong.code == 4
    assert "the secret key does not fit" in _texts(wrong.lines[0], "failure")
    closed = xsync.run("check", source, f"s3://{bucket}", "--endpoint-url", "http://127.0.0.1:9")
    assert "127.0.0.1:9 cannot be reached" in _texts(closed.lines[0], "failure")
    missing = xsync.run("check", source / "nothing", source.parent / "destination")
    assert missing.code == 4
    assert "does not exist" in _texts(missing.lines[0], "failure")


def test_a_bucket_as_source_is_read(xsync: Xsync, bucket: str, s3: S3Server, boto: S3Client, tmp_path: Path) -> None:
    for name in ("a/one", "b/two", "three"):
        boto.put_object(Bucket=bucket, Key=name, Body=b"x")
    ran = xsync.run("check", f"s3://{bucket}", tmp_path / "destination", "--endpoint-url", s3.endpoint_url)
    assert ran.code == 0
    assert "3 files in 3 places opened and read" in _texts(ran.lines[0], "ok")


@needs_root
def test_what_this_account_may_not_read_or_own_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        source, destination = make_source(place / "source", files=4, folders=2), place / "destination"
        (source / "top0" / "sub0").chmod(0o700)
        (source / "top1" / "sub1" / "file-000001.dat").chmod(0o600)
        destination.mkdir()
        os.chown(destination, NOBODY, NOBODY)
        migration = Migration(LocationSpec(f"file://{source}"), LocationSpec(f"file://{destination}"))
        reader, writer = open_location(migration.source), open_location(migration.destination)
        with as_nobody():
            found = [*check_source(reader, FilterSpec()), *check_destination(writer, migration, None)]
    [failed] = [each for each in found if each.level == "failure"]
    assert "2 of what was tried cannot be read" in failed.text
    assert any(each.level == "warning" and "owners cannot be set" in each.text for each in found)


def test_a_destination_without_room_is_said_before(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        location = open_location(LocationSpec(f"file://{tmp_path}/small"))
        migration = Migration(LocationSpec("file:///nowhere"), LocationSpec(location.url))
        found = list(check_destination(location, migration, Expected(files=10, bytes=5 << 20)))
        location.close()
    assert any(each.level == "warning" and "the source has 5.24 MB in 10 files" in each.text for each in found)
    assert not list((tmp_path / "small").iterdir())


def test_more_agents_than_a_host_holds_are_named(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "profiles", own_base=False)
    few, many = (
        next(each for each in check_host(home, agents, None) if "memory available" in each.text)
        for agents in (1, 100_000)
    )
    assert few.level == "ok"
    assert many.level == "warning"
    assert f"this host holds {room_here().agents:,} agent" in many.advice


class _Destination:
    """A destination whose trial came out as given: clocks and rights that a test cannot have otherwise."""

    def __init__(self, trial: Trial, transport: str = "objects") -> None:
        self._trial = trial
        self.capabilities = type("Capabilities", (), {"transport": transport})()

    def check_destination(self) -> None:
        """It can be used."""

    def describe(self) -> str:
        return "a bucket"

    def try_out(self) -> Trial:
        return self._trial

    def keeps_versions(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("trial", "mirror", "level", "said"),
    [
        (Trial(0.1, 0.1, 1_000.0), False, "failure", "1000.0 s ahead"),
        (Trial(0.1, 0.1, -3.0), False, "warning", "3.0 s behind"),
        (Trial(0.1, 0.1, 0.0, cannot_delete="AccessDenied"), False, "warning", "AccessDenied"),
        (Trial(0.1, 0.1, 0.0, cannot_delete="AccessDenied"), True, "failure", "AccessDenied"),
        (Trial(0.1, 0.1, 0.0), True, "warning", "keeps versions"),
        (Trial(0.1, 0.1, 0.0, checks_checksums=True, checks_uploads=False), False, "warning", "uploads in parts"),
        (Trial(0.1, 0.1, 0.0, keeps_backslashes=False), False, "warning", "makes a / of \\ in names"),
        (Trial(0.1, 0.1, 0.0, folds_names=True), False, "warning", "are one name there"),
    ],
)
def test_what_a_trial_shows_is_judged(trial: Trial, mirror: bool, level: str, said: str) -> None:
    options = TransferOptions(preserve_deleted_files="REMOVE" if mirror else "PRESERVE")
    migration = Migration(LocationSpec("file:///a"), LocationSpec("s3://b"), options=options)
    found = list(check_destination(_Destination(trial), migration, None))
    assert [each.level for each in found if said in each.text] == [level]
    assert all(each.advice for each in found if each.level == "warning")


def test_credentials_that_cannot_renew_themselves_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "y"), ("SESSION_TOKEN", "z")):
        monkeypatch.setenv(f"AWS_{name}", value)
    found = check_credentials(LocationSpec("s3://bucket"), 7_200.0, 0.0)
    assert (found.level, "takes about 2 h" in found.text) == ("warning", True)


def test_the_least_policy_of_a_mirror_below_a_prefix() -> None:
    options = TransferOptions(preserve_deleted_files="REMOVE")
    key = "arn:aws:kms:eu-west-1:111122223333:key/1"
    destination = LocationSpec("s3://lab/images", sse="aws:kms", kms_key_id=key)
    policy = iam_policy(Migration(LocationSpec("s3://old"), destination, options=options))
    by_name = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert by_name["SourceObjects"]["Action"] == ["s3:GetObject", "s3:GetObjectTagging"]
    assert by_name["DestinationObjects"]["Resource"] == "arn:aws:s3:::lab/images/*"
    assert "s3:GetBucketVersioning" in by_name["DestinationBucket"]["Action"]
    assert by_name["DestinationList"]["Condition"] == {"StringLike": {"s3:prefix": ["images/*", "images/"]}}
    assert by_name["DestinationKey"]["Resource"] == key
    plain = iam_policy(Migration(LocationSpec("file:///a"), LocationSpec("s3://lab")))
    assert not any("Tagging" in action for each in plain["Statement"] for action in each["Action"])


def test_the_policy_is_printed_as_json_and_refused_where_there_is_no_bucket(xsync: Xsync, source: Path) -> None:
    command = [sys.executable, "-m", "xsync_tui", "check", str(source), "s3://lab/images", "--iam-policy"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "arn:aws:s3:::lab/images/*" in str(json.loads(printed.stdout))
    assert xsync.run("check", source, source.parent / "b", "--iam-policy").code == 2
