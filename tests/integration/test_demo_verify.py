"""The demo's verifier finds every kind of difference between a folder and a bucket, and none where there is none."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import Difference, verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MTIME = 1_700_000_000_123_456_000
_PREFIX = "images"
_FILES = {"one.tif": b"first", "empty.log": b"", "2024/01/two\nlines ä + %.tif": b"second" * 1_000}
_LINK = "2024/latest"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with files, a dangling symlink, an empty folder; every entry has its time."""
    folder = tmp_path / "source"
    (folder / "2024/01").mkdir(parents=True)
    (folder / "incoming").mkdir()
    for name, content in _FILES.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o640)
    (folder / _LINK).symlink_to("12/nowhere.tif")
    for entry in folder.rglob("*"):
        os.utime(entry, ns=(_MTIME, _MTIME), follow_symlinks=False)
    return folder


@pytest.fixture
def put(source: Path, boto: S3Client, bucket: str) -> Callable[..., None]:
    """Store one entry of ``source`` as its object; ``body`` and ``changes`` of the metadata make it differ."""

    def put(name: str, body: bytes | None = None, **changes: str) -> None:
        path = source / name
        status = path.lstat()
        if body is None:
            link = stat.S_ISLNK(status.st_mode)
            body = os.fsencode(path.readlink()) if link else b"" if path.is_dir() else path.read_bytes()
        metadata = {
            "file-mtime": f"{status.st_mtime_ns}ns",
            "file-permissions": f"{status.st_mode:07o}",
            "file-owner": str(status.st_uid),
            "file-group": str(status.st_gid),
        } | {key.replace("_", "-"): value for key, value in changes.items()}
        key = f"{_PREFIX}/{name}" + ("/" if stat.S_ISDIR(status.st_mode) else "")
        boto.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata, ChecksumAlgorithm="CRC64NVME")

    for entry in source.rglob("*"):
        put(str(entry.relative_to(source)))
    return put


def _differences(source: Path, s3: S3Server, bucket: str) -> dict[str, str]:
    result = verify(source, s3, bucket, _PREFIX)
    assert result.identical is (not result.differences)
    return {difference.name: difference.what for difference in result.differences}


@pytest.mark.usefixtures("put")
def test_an_identical_bucket_is_called_identical_and_counted(source: Path, s3: S3Server, bucket: str) -> None:
    result = verify(source, s3, bucket, f"/{_PREFIX}/")
    assert result.identical, result.differences
    assert (result.files, result.symlinks, result.folders) == (3, 1, 3)
    assert result.bytes == sum(map(len, _FILES.values()))


def test_changed_content_of_equal_size_is_found(
    put: Callable[..., None], source: Path, s3: S3Server, bucket: str
) -> None:
    put("one.tif", b"fIrst")
    found = _differences(source, s3, bucket)
    assert found.keys() == {"one.tif"}
    assert "CRC64NVME" in found["one.tif"]


def test_another_size_is_found(put: Callable[..., None], source: Path, s3: S3Server, bucket: str) -> None:
    put("one.tif", b"first and more")
    assert _differences(source, s3, bucket) == {"one.tif": "size: 5 in the source, 14 in the bucket"}


def test_another_target_of_a_link_is_found(put: Callable[..., None], source: Path, s3: S3Server, bucket: str) -> None:
    put(_LINK, b"12/NOWHERE.tif")
    assert "CRC64NVME" in _differences(source, s3, bucket)[_LINK]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file_mtime", f"{_MTIME // 1_000_000}"),
        ("file_permissions", "0100644"),
        ("file_owner", "65000"),
        ("file_group", "65000"),
    ],
)
def test_other_metadata_is_found(
    key: str, value: str, put: Callable[..., None], source: Path, s3: S3Server, bucket: str
) -> None:
    put("one.tif", **{key: value})
    found = _differences(source, s3, bucket)
    assert found.keys() == {"one.tif"}
    assert found["one.tif"].startswith(key.replace("_", "-"))
    assert found["one.tif"].endswith(f"{value} in the bucket")


@pytest.mark.usefixtures("put")
def test_an_object_without_checksum_and_metadata_is_not_called_identical(
    source: Path, boto: S3Client, s3: S3Server, bucket: str
) -> None:
    boto.upload_file(str(source / "one.tif"), bucket, f"{_PREFIX}/one.tif")
    assert "one.tif" in _differences(source, s3, bucket)


@pytest.mark.usefixtures("put")
def test_missing_and_left_over_names_are_found(source: Path, boto: S3Client, s3: S3Server, bucket: str) -> None:
    boto.delete_object(Bucket=bucket, Key=f"{_PREFIX}/empty.log")
    boto.delete_object(Bucket=bucket, Key=f"{_PREFIX}/incoming/")
    boto.put_object(Bucket=bucket, Key=f"{_PREFIX}/extra.txt", Body=b"who?")
    boto.put_object(Bucket=bucket, Key="elsewhere.txt", Body=b"outside of the prefix")
    result = verify(source, s3, bucket, _PREFIX)
    assert result.differences == (
        Difference("empty.log", "missing in the bucket"),
        Difference("extra.txt", "not in the source"),
        Difference("incoming/", "missing in the bucket"),
    )
    assert (result.files, result.folders) == (2, 2)


@pytest.mark.usefixtures("put")
def test_a_name_that_no_key_can_hold_is_missing(source: Path, s3: S3Server, bucket: str) -> None:
    (source / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"latin")
    found = _differences(source, s3, bucket)
    assert list(found.values()) == ["missing in the bucket"]


@pytest.mark.usefixtures("put")
def test_folders_that_the_server_has_without_listing_them_are_asked_for(
    boto: S3Client, source: Path, s3: S3Server, bucket: str
) -> None:
    boto.delete_object(Bucket=bucket, Key=f"{_PREFIX}/2024/")
    boto.delete_object(Bucket=bucket, Key=f"{_PREFIX}/incoming/")
    listed = {each["Key"] for each in boto.list_objects_v2(Bucket=bucket, Prefix=_PREFIX)["Contents"]}
    assert f"{_PREFIX}/2024/" not in listed
    assert _differences(source, s3, bucket) == {"incoming/": "missing in the bucket"}
