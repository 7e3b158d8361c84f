"""REMOVE from buckets."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from engine.model import LocationSpec, Migration, Snapshot, Status
from tests.conftest import SpecMaker
from tests.in_process import run_in_process
from tests.integration.deletions.acts import REMOVE, expected, keys, options, run
from tests.support import tree_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_objects_and_markers_go(source: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker) -> None:
    run(source, s3_spec(bucket))
    boto.put_object(Bucket=bucket, Key="top1/theirs", Body=b"x")
    boto.put_object(Bucket=bucket, Key="top2/sub2/file-000002.dat", Body=b"changed by somebody")
    subprocess.run(["rm", "-rf", source / "top1", source / "top2"], check=True)
    snapshot = run(source, s3_spec(bucket))
    assert snapshot.status is Status.SUCCESS, snapshot.message
    kept = {"top1/", "top1/theirs", "top2/", "top2/sub2/", "top2/sub2/file-000002.dat"}
    assert keys(boto, bucket) == expected(source) | kept
    run(source, s3_spec(bucket), options(delete_foreign=True))
    assert keys(boto, bucket) == expected(source)


def test_what_is_gone_from_a_bucket_goes_from_a_folder_and_from_a_bucket(
    source: Path, target: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker
) -> None:
    (source / "link").symlink_to("nowhere")
    run(source, s3_spec(bucket, "one"))

    def follow(place: LocationSpec) -> Snapshot:
        return asyncio.run(run_in_process(Migration(s3_spec(bucket, "one"), place, options=REMOVE)))

    places = [LocationSpec(str(target)), s3_spec(bucket, "two")]
    for place in places:
        assert follow(place).status is Status.SUCCESS
    subprocess.run(["rm", "-rf", source / "top1", source / "link"], check=True)
    assert run(source, s3_spec(bucket, "one")).status is Status.SUCCESS
    for place in places:
        snapshot = follow(place)
        assert snapshot.status is Status.SUCCESS, (snapshot.message, snapshot.failure_counts)
        assert snapshot.totals.files.deleted > 1
    assert set(tree_of(target)) == set(tree_of(source))
    files = {key for key in keys(boto, bucket) if not key.endswith("/")}
    assert {key[4:] for key in files if key.startswith("one/")} == {key[4:] for key in files if key.startswith("two/")}


def test_a_bucket_that_keeps_versions_is_mentioned(
    source: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker
) -> None:
    boto.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    run(source, s3_spec(bucket))
    (source / "top0" / "sub0" / "file-000000.dat").unlink()
    snapshot = run(source, s3_spec(bucket))
    assert snapshot.totals.deletions is not None
    assert snapshot.totals.deletions.versioned
    assert any("delete marker" in event.text for event in snapshot.events)
