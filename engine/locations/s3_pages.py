"""Pages of ListObjectsV2 read straight into columns: 1 us a key, where botocore's parser takes 60."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import pyarrow as pa
import pyarrow.compute as pc

from engine.locations.extras import SIDE_PREFIX, is_side_object
from engine.names import path_of

_CONTENTS = re.compile(rb"<Contents>(.*?)</Contents>", re.DOTALL)
_KEY = re.compile(rb"<Key>([^<]*)</Key>")
_SIZE = re.compile(rb"<Size>(\d+)</Size>")
_TIME = re.compile(rb"<LastModified>([^<]{19})[^<]*</LastModified>")
_ETAG = re.compile(rb"<ETag>(?:&quot;|&#34;|\")?([^<&\"]*)")
_CLASS = re.compile(rb"<StorageClass>([^<]*)</StorageClass>")
_FOLDER = re.compile(rb"<CommonPrefixes>\s*<Prefix>([^<]*)</Prefix>")
_TOKEN = re.compile(rb"<NextContinuationToken>([^<]*)</NextContinuationToken>")
_TRUNCATED = re.compile(rb"<IsTruncated>\s*true\s*</IsTruncated>")
_ENCODED = re.compile(rb"<EncodingType>\s*url\s*</EncodingType>")

_ESCAPE_MARK = "\u201b".encode()
_SECOND_NS = 10**9


class Asked(NamedTuple):
    """A page to be read. ``prefix`` and ``after`` are keys below the location's; ``level``: stop at the next slash."""

    prefix: str
    token: str | None = None
    level: bool = False
    after: str | None = None


class Objects(NamedTuple):
    """Objects of a listing in columns. ``paths`` are relative to the location; a folder's marker ends in a slash.

    ``mtime_ns`` is LastModified in whole seconds, which is all that HEAD tells. ``inode`` is made of the ETag.
    """

    paths: list[bytes]
    size: pa.Array
    mtime_ns: pa.Array
    etag: pa.Array
    inode: pa.Array
    storage_class: pa.Array

    def take(self, rows: Sequence[int]) -> Objects:
        """Some of them."""
        chosen = pa.array(rows, pa.int32())
        return Objects([self.paths[row] for row in rows], *(column.take(chosen) for column in self[1:]))


class Page(NamedTuple):
    """One page. ``folders`` are common prefixes without their slash. ``last``: a key to start after, or None."""

    objects: Objects
    folders: list[bytes]
    next_token: str | None


def check_page(body: bytes, token: str | None = None) -> None:
    """Raise ValueError unless ``body`` is a whole page: what is cut short would pass for the end of the listing.

    ``token``: with which it was asked for; one that names itself as the next would be listed for ever.
    """
    if b"<ListBucketResult" not in body[:500]:
        raise ValueError("the server's answer is not a listing")
    if not body.rstrip().endswith(b"</ListBucketResult>"):
        raise ValueError("the server's answer is cut short")
    if _TRUNCATED.search(body) and not _TOKEN.search(body):
        raise ValueError("the server says that more follows, and not how to ask for it")
    if token is not None and next_token(body) == token:
        raise ValueError("the server says that the page that follows is this one again")


def next_token(body: bytes) -> str | None:
    """The token of the page that follows, or None."""
    found = _TOKEN.search(body, max(0, len(body) - 4_096)) or _TOKEN.search(body)
    if found is None or not _TRUNCATED.search(body):
        return None
    return unescape(found[1].decode())


def parse_page(body: bytes, prefix: bytes) -> Page:
    """Read the XML of a page that was checked; ``prefix`` of the location is cut off.

    Side objects (extras.py) are no objects of their own: they are left out.
    """
    decode = _decoded if _ENCODED.search(body) else _plain
    columns = [pattern.findall(body) for pattern in (_KEY, _SIZE, _TIME, _ETAG)]
    classes: list[bytes] = _CLASS.findall(body)
    count = len(columns[0])
    if any(len(column) != count for column in columns) or len(classes) not in (0, count):
        *columns, classes = _one_by_one(body)
    keys, sizes, times, etags = columns
    objects = Objects(
        [path_of_key(key[len(prefix) :]) for key in decode(keys)] if _odd(keys) else _cut(decode(keys), len(prefix)),
        pa.array(sizes, pa.binary()).cast(pa.string()).cast(pa.int64()),
        _nanoseconds(times),
        pa.array(etags, pa.binary()).cast(pa.string()),
        pa.array([version_number(etag) for etag in etags], pa.uint64()),
        pa.array(classes, pa.binary()).cast(pa.string()) if classes else pa.nulls(len(keys), pa.string()),
    )
    if SIDE_PREFIX in body:
        data = [row for row, path in enumerate(objects.paths) if not is_side_object(path)]
        objects = objects if len(data) == len(objects.paths) else objects.take(data)
    folders = [path_of_key(key[len(prefix) :].removesuffix(b"/")) for key in decode(_FOLDER.findall(body))]
    return Page(objects, folders, next_token(body))


def version_number(etag: bytes) -> int:
    """An object's version as 64 bits for its identity: half of the MD5 that most ETags are, else a hash."""
    try:
        return int(etag[:16], 16)
    except ValueError:
        return int.from_bytes(blake2b(etag, digest_size=8).digest(), "big")


def path_of_key(key: bytes) -> bytes:
    """The path whose key is ``key``; what is not UTF-8 stays as it is."""
    if _ESCAPE_MARK not in key:
        return key
    return path_of(key.decode("utf-8", "surrogateescape")) if _is_utf8(key) else key


def _is_utf8(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def _odd(keys: list[bytes]) -> bool:
    """Whether a key may hold a name that was escaped."""
    joined = b"".join(keys)
    return _ESCAPE_MARK in joined or b"%E2%80%9B" in joined or b"%e2%80%9b" in joined


def _cut(keys: list[bytes], size: int) -> list[bytes]:
    return [key[size:] for key in keys] if size else keys


def _decoded(keys: list[bytes]) -> list[bytes]:
    """Keys without the encoding of ``encoding-type=url``, all at once where that is the same."""
    joined = b"\0".join(keys)
    if b"&" in joined:
        keys = _plain(keys)
        joined = b"\0".join(keys)
    if b"%" not in joined and b"+" not in joined:
        return keys
    if b"%00" in joined:
        return [unquote_to_bytes(key.replace(b"+", b" ")) for key in keys]
    return unquote_to_bytes(joined.replace(b"%2F", b"/").replace(b"+", b" ")).split(b"\0") if keys else []


def _plain(keys: list[bytes]) -> list[bytes]:
    return [unescape(key.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") for key in keys]


def _nanoseconds(times: list[bytes]) -> pa.Array:
    moments = pc.cast(pa.array(times, pa.binary()).cast(pa.string()), pa.timestamp("s"))
    return pc.multiply(moments.cast(pa.int64()), _SECOND_NS)


def _one_by_one(body: bytes) -> Iterator[list[bytes]]:
    """Columns of a page whose objects do not all say the same things of themselves."""
    found = _CONTENTS.findall(body)
    for pattern, otherwise in ((_KEY, b""), (_SIZE, b"0"), (_TIME, b"1970-01-01T00:00:00"), (_ETAG, b"")):
        yield [match[1] if (match := pattern.search(each)) else otherwise for each in found]
    yield [match[1] if (match := _CLASS.search(each)) else b"" for each in found]
