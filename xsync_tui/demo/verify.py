"""Compares a folder with what a bucket holds, entry by entry; without the engine's code, so it can contradict it."""

from __future__ import annotations

import base64
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from awscrt import checksums
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib3 import PoolManager

from xsync_tui.demo.server import S3Server, s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_THREADS = 16
_STEP = 1024 * 1024  # bytes read at once
_OWN = ".xsync-"
_COMPARED = ("file-mtime", "file-permissions", "file-owner", "file-group")


class Difference(NamedTuple):
    """One name that is not the same on both sides, and what is not."""

    name: str
    what: str


class Verification(NamedTuple):
    """What was compared. ``bytes`` are those of files; ``folders_with_metadata``: some servers keep none for them."""

    files: int
    symlinks: int
    folders: int
    folders_with_metadata: int
    bytes: int
    seconds: float
    differences: tuple[Difference, ...]

    @property
    def identical(self) -> bool:
        """True if nothing is missing, left over or different."""
        return not self.differences


def verify(source: Path, server: S3Server, bucket: str, prefix: str = "") -> Verification:
    """Read every file of ``source`` and compare it with its object under ``prefix`` of ``bucket``.

    Compared are names (a folder is ``key/``), sizes, the server's CRC64NVME of the whole object with that of the bytes
    read here (for a symlink, of its target), and the POSIX metadata. Raises botocore's ClientError if the bucket cannot
    be listed, OSError if the source cannot be read.
    """
    began = time.monotonic()
    start = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    expected = dict(_entries(os.fsencode(source)))
    with closing(s3_client(server)) as client:
        listed = dict(_objects(client, bucket, start))
    listed |= dict.fromkeys(_unlisted_folders(expected, listed), 0)
    differences = [Difference(name, "missing in the bucket") for name in expected.keys() - listed.keys()]
    differences += [Difference(name, "not in the source") for name in listed.keys() - expected.keys()]
    compared = [(name, entry, listed[name]) for name, entry in expected.items() if name in listed]
    with PoolManager(maxsize=_THREADS, retries=3) as pool, ThreadPoolExecutor(_THREADS) as threads:
        heads = _Heads(pool, server, bucket, start)
        results = list(threads.map(lambda each: _compare(heads, *each), compared))
    differences += [difference for result in results for difference in result.differences]
    modes = [entry.status.st_mode for _, entry, _ in compared]
    return Verification(
        files=sum(map(stat.S_ISREG, modes)),
        symlinks=sum(map(stat.S_ISLNK, modes)),
        folders=sum(map(stat.S_ISDIR, modes)),
        folders_with_metadata=sum(result.folder_metadata for result in results),
        bytes=sum(entry.status.st_size for _, entry, _ in compared if stat.S_ISREG(entry.status.st_mode)),
        seconds=time.monotonic() - began,
        differences=tuple(sorted(differences)),
    )


def _unlisted_folders(expected: Iterable[str], listed: Iterable[str]) -> set[str]:
    """Folders with something in them that have no key of their own in the list; whether they are there HEAD tells.

    SeaweedFS lists no marker that it was given in the very moment in which it made the folder for the first object
    inside: the folder's entry is written again, as one without a key. HEAD answers for it all the same.
    """
    with_content = {name[: end + 1] for name in listed for end, letter in enumerate(name[:-1]) if letter == "/"}
    return {name for name in expected if name.endswith("/")} & with_content - set(listed)


class _Entry(NamedTuple):
    path: bytes
    status: os.stat_result


class _Compared(NamedTuple):
    differences: list[Difference]
    folder_metadata: bool = False  # it is a folder and the server keeps its POSIX metadata


class _Heads:
    """Asks for the headers of objects, signed by botocore but without its 1 ms of work for each request."""

    def __init__(self, pool: PoolManager, server: S3Server, bucket: str, start: str) -> None:
        self._pool = pool
        self._server = server
        self._credentials = Credentials(server.access_key, server.secret_key)
        self._url = f"{server.endpoint_url}/{bucket}/"
        self._start = start

    def of(self, name: str) -> tuple[int, Mapping[str, str]]:
        """Return the status and the headers, their names in lower case, of an object."""
        url = self._url + quote(self._start + name, safe="/~")
        request = AWSRequest("HEAD", url, headers={"x-amz-checksum-mode": "ENABLED"})
        S3SigV4Auth(self._credentials, "s3", self._server.region).add_auth(request)
        answer = self._pool.request("HEAD", url, headers=dict(request.headers))
        return answer.status, {key.lower(): value for key, value in answer.headers.items()}


def _entries(root: bytes) -> Iterator[tuple[str, _Entry]]:
    """Yield the name that its object must have, path and status of every file, folder and symlink below ``root``."""
    with os.scandir(root) as found:
        entries = list(found)
    for entry in entries:
        status = entry.stat(follow_symlinks=False)
        name = os.fsdecode(entry.name)
        if stat.S_ISDIR(status.st_mode):
            yield f"{name}/", _Entry(entry.path, status)
            yield from ((f"{name}/{below}", found_below) for below, found_below in _entries(entry.path))
        elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            yield name, _Entry(entry.path, status)


def _objects(client: S3Client, bucket: str, start: str) -> Iterator[tuple[str, int]]:
    """Yield name and size in bytes of every object, without the one that stands for the destination itself.

    Nor those that are no data: xsync keeps in them what does not fit into the metadata of others.
    """
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start):
        for found in page.get("Contents", []):
            if found["Key"] != start and not found["Key"].rpartition("/")[2].startswith(_OWN):
                yield found["Key"].removeprefix(start), found["Size"]


def _compare(heads: _Heads, name: str, entry: _Entry, listed_size: int) -> _Compared:
    status, headers = heads.of(name)
    if status != 200:
        return _Compared([Difference(name, f"the server answers {status}")])
    if stat.S_ISDIR(entry.status.st_mode):
        found = {key: headers[f"x-amz-meta-{key}"] for key in _COMPARED if f"x-amz-meta-{key}" in headers}
        differences = _differing_metadata(name, entry.status, headers) if found else []
        return _Compared(differences, folder_metadata=bool(found))
    size, checksum = _content(entry)
    differences = _differing_metadata(name, entry.status, headers)
    if listed_size != size:
        differences.append(Difference(name, f"size: {size} in the source, {listed_size} in the bucket"))
    elif headers.get("x-amz-checksum-crc64nvme") != checksum:
        stored = headers.get("x-amz-checksum-crc64nvme", "none")
        differences.append(Difference(name, f"CRC64NVME: {checksum} in the source, {stored} in the bucket"))
    return _Compared(differences)


def _differing_metadata(name: str, status: os.stat_result, headers: Mapping[str, str]) -> list[Difference]:
    wanted = (f"{status.st_mtime_ns}ns", f"{status.st_mode:07o}", str(status.st_uid), str(status.st_gid))
    stored = [headers.get(f"x-amz-meta-{key}", "none") for key in _COMPARED]
    return [
        Difference(name, f"{key}: {here} in the source, {there} in the bucket")
        for key, here, there in zip(_COMPARED, wanted, stored, strict=True)
        if here != there
    ]


def _content(entry: _Entry) -> tuple[int, str]:
    """Size in bytes and base64 CRC64NVME of what a file holds or where a symlink points."""
    if stat.S_ISLNK(entry.status.st_mode):
        target = os.readlink(entry.path)
        return len(target), _encoded(checksums.crc64nvme(target))
    size = checksum = 0
    with open(entry.path, "rb", buffering=0) as file:
        while chunk := file.read(_STEP):
            checksum = checksums.crc64nvme(chunk, checksum)
            size += len(chunk)
    return size, _encoded(checksum)


def _encoded(checksum: int) -> str:
    return base64.b64encode(checksum.to_bytes(8, "big")).decode()
