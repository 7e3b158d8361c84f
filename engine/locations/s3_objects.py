"""Reads objects over connections of its own: whole, in ranges, or their attributes alone."""

from __future__ import annotations

import re
import threading
from binascii import a2b_base64
from calendar import timegm
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from html import unescape
from urllib.parse import quote

import msgspec

from engine.locations.base import Attributes, Kept, RequestError
from engine.locations.credentials import current_credentials
from engine.locations.etags import new_hash
from engine.locations.extras import EXTRAS, MAX_DECODED_BYTES, ExtrasError, decode, encode, reread, side_path
from engine.locations.metadata import DEFAULT_FOLDER_MODE, DEFAULT_ID, DEFAULT_MODE, FileAttributes, parse_metadata
from engine.locations.s3_client import Connection, DataPath
from engine.locations.s3_errors import EXPIRED_CODES
from engine.locations.s3_hashes import EtagHashes
from engine.locations.s3_http import Pool, Reply, TransportError
from engine.locations.s3_pages import Asked, check_page, version_number
from engine.locations.s3_signing import Signer, quoted
from engine.model import Identity, Kind, LocationSpec
from engine.names import check_key, key_of

LONGEST_LINK = 4_096
_PAGE_BYTES = 512 << 10
CONTENT_HEADERS = ("content-type", "content-encoding", "content-language", "content-disposition", "cache-control")

_TYPE_BITS = {Kind.SYMLINK: 0o120000, Kind.FOLDER: 0o040000}
_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_METADATA = "x-amz-meta-"
_CHECKSUM_BYTES = 8


class S3File:
    """An object being read; see base.OpenFile. Every byte is of the version that ``identity`` is about."""

    __slots__ = (
        "_attributes",
        "_claim",
        "_end",
        "_hash",
        "_objects",
        "_path",
        "_position",
        "_reply",
        "identity",
        "kept",
        "stored_checksum",
    )

    unsure = False  # each version has an identity of its own

    def __init__(self, objects: Objects, path: bytes, reply: Reply, start: int, end: int | None, size: int) -> None:
        headers = reply.headers
        self._objects = objects
        self._path = path
        self._reply: Reply | None = reply
        self._position = start
        self._end = size if end is None else end
        self.identity = identity_of(headers, size)
        metadata = {name[len(_METADATA) :]: value for name, value in headers.items() if name.startswith(_METADATA)}
        content = {name: headers[name] for name in CONTENT_HEADERS if name in headers}
        tags = headers.get("x-amz-tagging-count", "")
        etag = headers.get("etag", "").strip('"')
        self.kept = Kept(metadata, content, int(tags) if tags.isdigit() else 0, etag)
        self.stored_checksum = full_checksum(headers) if end is None or end <= start else None
        self._attributes: Attributes | None = None
        is_whole = start == 0 and end is None and self.stored_checksum is None
        self._claim = objects.hashes.claim_of(headers) if is_whole else None
        self._hash = new_hash() if self._claim is not None else None

    @property
    def attributes(self) -> Attributes:
        """What its metadata says of the file that it stands for, and DataSync's defaults where it says nothing."""
        if self._attributes is None:
            is_folder = not self._path or self._path.endswith(b"/")
            self._attributes = attributes_of(parse_metadata(self.kept.metadata), self.identity, is_folder)
        return self._attributes

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``; fewer bytes than asked only at the end. Raises RequestError."""
        if offset != self._position:
            self._go_to(offset)
        if self._reply is None:
            return 0
        try:
            size = self._reply.read_into(buffer)
        except TransportError as error:
            raise failure_of(error) from error
        self._position += size
        if self._hash is not None:
            self._hash.update(buffer[:size])
        return size

    def is_what_etag_says(self) -> bool:
        """Whether its MD5 is its ETag; see base.OpenFile. False where a stored checksum tells more, too."""
        if self._claim is None or self._hash is None or self._position != self.identity.size:
            return False
        told = self._objects.hashes.judge(self._claim, self._hash.hexdigest())
        if told is False:
            raise RequestError("BadDigest", None, "what was received is not what the source's ETag, an MD5, says")
        return bool(told)

    def confirm(self) -> Identity:
        """Its identity: an answer is of one version, whatever has become of the object meanwhile."""
        return self.identity

    def close(self) -> None:
        """Give the connection back; idempotent."""
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.close()

    def _go_to(self, offset: int) -> None:
        self.close()
        again = self._objects.open(self._path, offset, max(offset, self._end))
        if again.identity != self.identity:
            again.close()
            raise FileNotFoundError("the object was replaced")
        self._reply, again._reply = again._reply, None
        self._position = offset
        self._hash = None


class Objects:
    """The objects below a location's prefix. Connections are made when first needed; for any thread."""

    def __init__(self, connection: Connection, spec: LocationSpec) -> None:
        self._connection = connection
        self._spec = spec
        self.hashes = EtagHashes()
        self._lock = threading.Lock()
        self._way: tuple[Pool, Signer, DataPath] | None = None

    def close(self) -> None:
        """Close connections; they are opened anew when needed."""
        with self._lock:
            way, self._way = self._way, None
        if way is not None:
            way[0].close()

    def open(self, path: bytes, start: int = 0, end: int | None = None) -> S3File:
        """Ask for an object; see S3Location.open_file."""
        return self._open_root() if not path and end == 0 else self._open(path, start, end)

    def _open(self, path: bytes, start: int, end: int | None) -> S3File:
        headers = {"x-amz-checksum-mode": "ENABLED"}
        method = "GET"
        if end is not None and end <= start:
            method = "HEAD"
        elif start or end is not None:
            headers = {"range": f"bytes={start}-{'' if end is None else end - 1}"}
        reply = self.request(method, self.address(path), headers)
        try:
            _check_object(reply)
            if start and method == "GET" and reply.status != 206:
                raise RequestError("InvalidRange", reply.status, "the server sent something else than the range asked")
            file = S3File(self, path, reply, start, end, _size_of(reply.headers))
            if path.endswith(b"/") and not file.kept.metadata:
                file.kept = self._found_aside(path.removesuffix(b"/"), file.kept)
        except BaseException:
            reply.close()
            raise
        return file

    def _open_root(self) -> S3File:
        """What stands for the root: the side object that it has instead of a marker, or else a marker."""
        try:
            file = self._open(side_path(b""), 0, 0)
        except FileNotFoundError:
            return self._open(b"", 0, 0)
        try:
            file.kept = self._found_aside(b"", file.kept)
        except BaseException:
            file.close()
            raise
        return file

    def _found_aside(self, path: bytes, kept: Kept) -> Kept:
        """What a marker has whose server keeps no metadata of markers: it is in the side object."""
        try:
            side = side_path(path)
            extras = reread(lambda: decode(self.read(side, MAX_DECODED_BYTES).decode("ascii", "replace")))
        except (FileNotFoundError, ExtrasError):
            return kept
        value = encode(msgspec.structs.replace(extras, metadata={}))
        return kept._replace(metadata=extras.metadata | ({EXTRAS: value} if value else {}))

    def page(self, asked: Asked) -> bytes:
        """The XML of a page of ListObjectsV2, whole. Raises OSError."""
        prefix = self._connection.key_prefix
        more = {
            "continuation-token": asked.token,
            "delimiter": "/" if asked.level else None,
            "encoding-type": "url",
            "list-type": "2",
            "prefix": prefix + asked.prefix,
            "start-after": prefix + asked.after if asked.after else None,
        }
        query = "&".join([f"{name}={quote(value, safe='~')}" for name, value in more.items() if value is not None])
        base = self._open_way()[2].base
        bucket = base[: len(base) - len(quoted(prefix))].rstrip("/") or "/"
        reply = self.request("GET", bucket, {}, query)
        try:
            body = b"".join(iter(lambda: reply.read(_PAGE_BYTES), b""))
            check_page(body, asked.token)
            return body
        except TransportError as error:
            raise failure_of(error) from error
        except ValueError as error:
            code, message = error_in(body)
            raise RequestError(code or "InvalidResponse", reply.status, message or str(error)) from error
        finally:
            reply.close()

    def marker(self, path: bytes) -> Kept | None:
        """What a folder's marker has, or None without one. Raises RequestError."""
        try:
            file = self.open(path + b"/" if path else b"", 0, 0)
        except FileNotFoundError:
            return None
        file.close()
        return file.kept

    def read(self, path: bytes, limit: int = LONGEST_LINK) -> bytes:
        """A small object whole, or its first ``limit`` bytes."""
        file = self.open(path)
        try:
            buffer = memoryview(bytearray(min(limit, file.identity.size)))
            return bytes(buffer[: file.read_into(buffer, 0)])
        finally:
            file.close()

    def address(self, path: bytes) -> str:
        """The request path of an object. Raises RequestError for what is no path."""
        key = key_of(path)
        if path and (reason := check_key(key, 1 << 20)):
            raise RequestError(reason, None, "")
        if not path and not self._connection.key_prefix:
            raise FileNotFoundError("a bucket has no marker")
        return self._open_way()[2].base + quoted(key)

    def request(self, method: str, path: str, headers: Mapping[str, str], query: str = "") -> Reply:
        """A signed request without a body; the answer is a success and to be closed.

        Raises FileNotFoundError for what is not there, RequestError, SourceError without credentials.
        """
        for renewed in (False, True):
            pool, signer, way = self._open_way()
            signed = signer.sign(method, path, query, {"host": way.host, **way.headers, **headers})
            try:
                reply = pool.request(method, f"{path}?{query}" if query else path, signed)
            except TransportError as error:
                raise failure_of(error) from error
            if reply.status < 300:
                return reply
            failure = _failure(reply, method)
            if renewed or not _may_be_expired(failure):
                raise failure
            signer.renew()
        raise AssertionError("unreachable")

    def _open_way(self) -> tuple[Pool, Signer, DataPath]:
        way = self._way
        if way is None:
            with self._lock:
                if self._way is None:
                    path = self._connection.data_path()
                    signer = Signer(lambda: current_credentials(self._spec), path.region)
                    self._way = Pool(path), signer, path
                way = self._way
        return way


def identity_of(headers: Mapping[str, str], size: int) -> Identity:
    """What the facts about an object are valid for; the same as its row in a listing says."""
    etag = headers.get("etag", "").strip('"').encode()
    return Identity(0, version_number(etag), size, http_time_ns(headers.get("last-modified", "")), 0)


def attributes_of(found: FileAttributes, identity: Identity, is_folder: bool) -> Attributes:
    """The attributes of the file that an object stands for."""
    default = DEFAULT_FOLDER_MODE if is_folder else DEFAULT_MODE
    kind_bits = _TYPE_BITS.get(found.kind or Kind.FILE, 0o100000) if not is_folder else 0o040000
    mtime_ns = identity.mtime_ns if found.mtime_ns is None else found.mtime_ns
    return Attributes(
        mode=default if found.mode is None else kind_bits | found.mode,
        uid=DEFAULT_ID if found.uid is None else found.uid,
        gid=DEFAULT_ID if found.gid is None else found.gid,
        atime_ns=mtime_ns if found.atime_ns is None else found.atime_ns,
        mtime_ns=mtime_ns,
    )


@lru_cache(1_024)
def http_time_ns(text: str) -> int:
    """``Mon, 23 Nov 2026 00:09:30 GMT`` as nanoseconds since the epoch; 0 for what is no date."""
    try:
        if len(text) == 29 and text.endswith("GMT"):
            month = _MONTHS.index(text[8:11]) // 3 + 1
            numbers = (text[12:16], str(month), text[5:7], text[17:19], text[20:22], text[23:25])
            return timegm((*map(int, numbers), 0, 0, 0)) * 10**9
        return round(parsedate_to_datetime(text).timestamp()) * 10**9
    except ValueError:
        return 0


def full_checksum(headers: Mapping[str, str]) -> int | None:
    """The CRC64NVME of the whole object, where the server keeps one."""
    text = headers.get("x-amz-checksum-crc64nvme")
    if text is None or headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return checksum_of_text(text)


def checksum_of_text(text: str) -> int | None:
    """A CRC64NVME as S3 has it in text, 8 bytes in base64; None if it is none."""
    try:
        found = a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return int.from_bytes(found, "big") if len(found) == _CHECKSUM_BYTES else None


def error_in(body: bytes) -> tuple[str, str]:
    """Code and message of an error body; ("", "") if it holds none."""
    code, message = _CODE.search(body), _MESSAGE.search(body)
    return (_text(code[1]) if code else "", _text(message[1]) if message else "")


def failure_of(error: TransportError) -> RequestError:
    """A request that brought no answer, or not a whole one."""
    if not error.trusted:
        return RequestError("TLS error", None, str(error))
    return RequestError("connection failed" if error.reached else "no connection", None, str(error))


def _failure(reply: Reply, method: str) -> OSError:
    try:
        code, message = error_in(reply.read(64 << 10)) if method != "HEAD" else ("", "")
    except TransportError as error:
        return failure_of(error)
    finally:
        reply.close()
    code = code or str(reply.status)
    if code in ("NoSuchKey", "NoSuchVersion", "404") or reply.status == 416:  # a range beyond its end: replaced
        return FileNotFoundError(f"{code}: {message}")
    return RequestError(code, reply.status, f"{message} (HTTP {reply.status})".lstrip())


def _may_be_expired(failure: OSError) -> bool:
    """An answer to HEAD has no body that would say so."""
    return isinstance(failure, RequestError) and (failure.code in EXPIRED_CODES or failure.code == "400")


def _check_object(reply: Reply) -> None:
    """Raise RequestError for an answer that is about no object: a page of a proxy, or an error called a success."""
    if "etag" not in reply.headers and "last-modified" not in reply.headers:
        raise RequestError("InvalidResponse", reply.status, "the answer has neither ETag nor date: it is of no object")


def _size_of(headers: Mapping[str, str]) -> int:
    total = headers.get("content-range", "").rpartition("/")[2]
    try:
        return int(total or headers["content-length"])
    except (KeyError, ValueError) as error:
        raise RequestError("InvalidResponse", None, "the server does not say how large the object is") from error


def _text(found: bytes) -> str:
    return unescape(found.decode("utf-8", "replace"))
