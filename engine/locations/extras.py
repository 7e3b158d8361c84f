"""What S3's own keys cannot hold of a file: xattrs with their ACLs, holes, hard links; as one text value, and back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
import zstandard

from engine.decoding import msgpack_decoder
from engine.names import OWN_PREFIX

EXTRAS = "xsync-extras"
"""The metadata key. Its value begins with the version of its form, or with ``@`` if a side object holds it."""

SIDE_PREFIX = OWN_PREFIX + b"x"
"""How the names of side objects begin."""

MAX_METADATA_BYTES = 2_048
"""S3 User Guide, User-defined object metadata: bytes of all keys and values together."""

MAX_DECODED_BYTES = 64 << 20
"""Largest value that is unpacked; xattrs are at most 64 KiB each, holes a few bytes."""

MAX_RANGES = 500_000
"""Ranges of data and holes above which a file counts as one without holes: a map would take megabytes."""

_VERSION = "1"
_ELSEWHERE = "@"

Xattrs = tuple[tuple[bytes, bytes], ...]


class ExtrasError(ValueError):
    """A value that this version cannot read."""


class Extras(msgspec.Struct, frozen=True, array_like=True):
    """``xattrs``: names and values, ACLs among them. ``link``: the same for all names of one file, "" if it has one.

    ``lengths``: bytes of data, hole, data, hole... from the start of the file, the first maybe 0; empty: no holes.
    ``metadata``: that of a folder's marker, for stores that keep none of markers.
    """

    xattrs: Xattrs = ()
    lengths: tuple[int, ...] = ()
    link: str = ""
    metadata: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self.xattrs or self.lengths or self.link or self.metadata)


NOTHING = Extras()
UNREADABLE = Extras()
"""In place of those that are lost; an object of its own."""


def encode(extras: Extras) -> str:
    """ASCII text of ``extras``, with a checksum in it; "" if there are none."""
    if not extras:
        return ""
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(msgspec.msgpack.encode(extras))
    return _VERSION + base64.b64encode(packed).decode()


def decode(text: str) -> Extras:
    """The inverse of ``encode``. Raises ExtrasError."""
    if not text:
        return NOTHING
    if not text.startswith(_VERSION):
        raise ExtrasError(f"form {text[:1]!r} is of another version")
    try:
        packed = base64.b64decode(text[1:], validate=True)
        if zstandard.frame_content_size(packed) not in range(MAX_DECODED_BYTES):
            raise ExtrasError("too large")
        return msgpack_decoder(Extras).decode(zstandard.decompress(packed))
    except (ValueError, zstandard.ZstdError, msgspec.DecodeError) as error:
        raise ExtrasError(str(error)) from error


def side_path(path: bytes) -> bytes:
    """Where the value of the entry at ``path`` is kept if it does not fit: beside it, under a name never shown."""
    folder, slash, name = path.rpartition(b"/")
    return folder + slash + SIDE_PREFIX + hashlib.blake2b(name, digest_size=8).hexdigest().encode()


def is_side_object(path: bytes) -> bool:
    """Whether what is at ``path`` belongs to another entry."""
    return path.rpartition(b"/")[2].startswith(SIDE_PREFIX)


def placed(metadata: Mapping[str, str], value: str) -> tuple[dict[str, str], bytes]:
    """``metadata`` with ``value`` (see ``encode``), and what a side object must hold for that: mostly nothing.

    The side object is written first; by its digest a value that belongs to another version of the entry is told.
    """
    plain = {key: text for key, text in metadata.items() if key != EXTRAS}
    if not value:
        return plain, b""
    used = sum(len(key) + len(text.encode()) for key, text in plain.items()) + len(EXTRAS)
    if used + len(value) <= MAX_METADATA_BYTES:
        return plain | {EXTRAS: value}, b""
    return plain | {EXTRAS: _ELSEWHERE + _digest(value.encode())}, value.encode()


def resolved(value: str, read_side: Callable[[], bytes]) -> Extras:
    """What the metadata's ``value`` says; ``read_side`` reads the side object. Raises ExtrasError, OSError."""
    if not value.startswith(_ELSEWHERE):
        return decode(value)
    side = read_side()
    if _ELSEWHERE + _digest(side) != value:
        raise ExtrasError("the side object belongs to another version of the file")
    return decode(side.decode("ascii", "replace"))


def reread(read: Callable[[], Extras]) -> Extras:
    """What ``read`` returns, asked once more after an ExtrasError: the value may have been damaged on its way."""
    try:
        return read()
    except ExtrasError:
        return read()


def lengths_of(data: Iterable[tuple[int, int]], size: int) -> tuple[int, ...]:
    """``Extras.lengths`` of a file of ``size`` bytes whose ranges with data (start, end) are ``data``, in order."""
    lengths, offset = [0], 0
    for start, end in data:
        if start > offset:
            lengths += [start - offset, 0]
        lengths[-1] += end - start
        offset = end
        if len(lengths) > MAX_RANGES:
            return ()
    if offset < size:
        lengths.append(size - offset)
    return tuple(lengths) if len(lengths) > 1 else ()


def data_ranges(lengths: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The ranges (start, end) with data, in order."""
    offset, is_data = 0, True
    for length in lengths:
        if is_data and length:
            yield offset, offset + length
        offset += length
        is_data = not is_data


def _digest(value: bytes) -> str:
    return hashlib.blake2b(value, digest_size=8).hexdigest()
