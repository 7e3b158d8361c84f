"""The adapters under test, each with the few things that the engine does past the adapter: sending bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_from_bytes

import pyarrow as pa
import pytest

from engine.locations.base import PartResult
from engine.locations.listing import ScanLimit
from engine.locations.registry import open_location
from engine.model import Fate, Kind, LocationSpec
from engine.names import key_of
from engine.transfer.crt import crc64nvme
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "some/where"


class Side(NamedTuple):
    """One adapter over real storage. ``location`` is Any: tests ask it for what its capabilities say."""

    spec: LocationSpec
    location: Any
    put: Callable[[bytes, bytes], None]
    get: Callable[[bytes], bytes | None]
    send_part: Callable[[bytes, str, int, int, bytes], PartResult]
    break_: Callable[[str], LocationSpec]

    @property
    def real_folders(self) -> bool:
        return bool(self.location.capabilities.real_folders)


class Everything:
    """Selects all entries."""

    def fate(self, path: bytes, is_folder: bool) -> Fate:
        return Fate.CANDIDATE

    def enters(self, path: bytes) -> bool:
        return True

    def trivial(self, folder: bytes) -> bool:
        return True

    def task(self, path: bytes) -> int:
        return 0

    def tasks_inside(self, folder: bytes) -> Callable[[bytes], int] | None:
        return None


def posix_side(root: Path) -> Iterator[Side]:
    """A folder of this host."""
    spec = LocationSpec(url="file://" + quote_from_bytes(os.fsencode(root)))
    location: Any = open_location(spec)
    top = os.fsencode(root)

    def put(path: bytes, content: bytes) -> None:
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content)

    def get(path: bytes) -> bytes | None:
        try:
            with open(os.path.join(top, path), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def send_part(path: bytes, upload_id: str, number: int, offset: int, content: bytes) -> PartResult:
        fd = location.open_temporary(path, upload_id)
        try:
            os.pwrite(fd, content, offset)
        finally:
            os.close(fd)
        return PartResult(number, len(content), crc64nvme(content), "")

    def break_(how: str) -> LocationSpec:
        return LocationSpec(url=f"file://{root}-{how}")

    yield Side(spec, location, put, get, send_part, break_)
    location.close()


def s3_side(server: S3Server, boto: S3Client, bucket: str) -> Iterator[Side]:
    """A prefix of a bucket of the test server."""
    spec = LocationSpec(url=f"s3://{bucket}/{PREFIX}", endpoint_url=server.endpoint_url, region=server.region)
    location: Any = open_location(spec)

    def key(path: bytes) -> str:
        return f"{PREFIX}/{key_of(path)}"

    def put(path: bytes, content: bytes) -> None:
        boto.put_object(Bucket=bucket, Key=key(path), Body=content, ChecksumAlgorithm="CRC64NVME")

    def get(path: bytes) -> bytes | None:
        try:
            return boto.get_object(Bucket=bucket, Key=key(path))["Body"].read()
        except boto.exceptions.NoSuchKey:
            return None

    def send_part(path: bytes, upload_id: str, number: int, offset: int, content: bytes) -> PartResult:
        answer = boto.upload_part(
            Bucket=bucket,
            Key=key(path),
            UploadId=upload_id,
            PartNumber=number,
            Body=content,
            ChecksumAlgorithm="CRC64NVME",
        )
        return PartResult(number, len(content), crc64nvme(content), answer["ETag"])

    def break_(how: str) -> LocationSpec:
        return LocationSpec(url=f"s3://{bucket}-{how}/{PREFIX}", endpoint_url=server.endpoint_url)

    yield Side(spec, location, put, get, send_part, break_)
    location.close()


def listed(location: Any, limit: ScanLimit | None = None) -> list[dict[str, Any]]:
    """All rows of a listing, scanned until no folder is left."""
    rows: list[dict[str, Any]] = []
    folders = [b""]
    while folders:
        batch = location.scan(folders, limit or ScanLimit(), Everything(), 7)
        rows += batch.rows.to_pylist()
        folders = batch.folders_left
    return rows


def files_of(rows: list[dict[str, Any]]) -> dict[bytes, int]:
    """Paths and sizes of the files among ENTRY_SCHEMA rows."""
    return {path_of_row(row): row["size"] for row in rows if row["kind"] == Kind.FILE}


def path_of_row(row: dict[str, Any]) -> bytes:
    """The path of an ENTRY_SCHEMA row."""
    folder, name = row["dir"], row["name"]
    return folder + b"/" + name if folder else bytes(name)


def rows_of(tables: Iterator[pa.Table]) -> list[dict[str, Any]]:
    """All rows of all tables."""
    return [row for table in tables for row in table.to_pylist()]


def skip_unless(condition: bool, why: str) -> None:
    """Skip a test for what this adapter does not claim to do: the suite asks each for what its capabilities promise."""
    if not condition:
        pytest.skip(why)
