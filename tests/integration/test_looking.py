"""A first look at a place: what it finds, that it tells no secret, and that it writes nothing anyone sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.execution.checking.canary import canary_of
from engine.execution.checking.findings import Finding
from engine.execution.checking.looking import look_at_destination, look_at_source
from engine.locations.credentials import identity_of
from engine.model import LocationSpec
from tests.conftest import SpecMaker
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def _failures(findings: list[Finding]) -> str:
    return "\n".join(each.text for each in findings if each.level == "failure")


def test_a_bucket_is_looked_at_and_nothing_is_left(
    bucket: str, s3_spec: SpecMaker, s3: S3Server, boto: S3Client, tmp_path: Path
) -> None:
    found = list(look_at_destination(s3_spec(bucket, "lab"), LocationSpec(str(tmp_path))))
    assert [each.about for each in found] == ["credentials", "identity", "network", "destination"]
    assert _failures(found) == ""
    said = " ".join(each.text for each in found)
    assert "credentials from the environment" in said
    assert s3.secret_key not in said
    assert s3.access_key not in said
    assert "Contents" not in boto.list_objects_v2(Bucket=bucket)
    assert boto.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert _failures(list(look_at_source(s3_spec(bucket)))) == ""


def test_a_bucket_that_is_not_there_and_one_that_cannot_be_reached(s3_spec: SpecMaker) -> None:
    assert "no-such-bucket" in _failures(list(look_at_destination(s3_spec("no-such-bucket"))))
    assert "no-such-bucket" in _failures(list(look_at_source(s3_spec("no-such-bucket"))))
    closed = msgspec.structs.replace(s3_spec("lab"), endpoint_url="http://127.0.0.1:1")
    found = list(look_at_destination(closed))
    assert "cannot be reached" in _failures(found)
    assert found[-1].about == "network"  # nothing is tried after it


def test_without_credentials_nothing_is_asked(s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    [found] = look_at_destination(s3_spec("lab"))
    assert (found.about, found.level) == ("credentials", "failure")
    assert "no AWS credentials" in identity_of(s3_spec("lab"), "http://localhost")


def test_a_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    [new] = look_at_destination(LocationSpec(str(tmp_path / "new" / "deep")))
    assert (new.level, f"it will be made in {tmp_path}" in new.text) == ("ok", True)
    assert not (tmp_path / "new").exists()
    [there] = look_at_destination(LocationSpec(str(tmp_path / "folder")))
    assert there.text.startswith("a folder; ")
    assert "is a file" in _failures(list(look_at_destination(LocationSpec(str(tmp_path / "file" / "x")))))
    assert "does not exist" in _failures(list(look_at_source(LocationSpec(str(tmp_path / "new")))))
    inside = look_at_destination(LocationSpec(str(tmp_path / "folder" / "x")), LocationSpec(str(tmp_path / "folder")))
    assert "it lies in the source" in _failures(list(inside))
    assert "cannot reach gopher" in _failures(list(look_at_destination(LocationSpec("gopher://x"), LocationSpec("/"))))


def test_what_a_canary_would_be_called() -> None:
    assert canary_of(LocationSpec("s3://b")) == "s3://b/.xsync-canary-*"
    assert canary_of(LocationSpec("s3://b/p/")) == "s3://b/p/.xsync-canary-*"
    assert canary_of(LocationSpec("/mnt/new/")) == "/mnt/new/.xsync-*"
