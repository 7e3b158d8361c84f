"""Copies that a server makes by itself, and the tags of objects that it does not copy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from engine.locations.base import Made, RequestError
from engine.locations.s3_bucket import Bucket
from engine.locations.s3_http import Reply, TransportError
from engine.locations.s3_objects import checksum_of_text, error_in, failure_of
from engine.names import key_of

_ETAG = re.compile(rb"<ETag>(?:&quot;|&#34;|\")?([^<&\"]+)")
_CHECKSUM = re.compile(rb"<ChecksumCRC64NVME>([^<]+)</ChecksumCRC64NVME>")
_ANSWER_BYTES = 64 << 10


class CopyingBucket(Bucket):
    """A bucket whose server can copy from other buckets that the same credentials open."""

    def copies_from(self, source: object) -> bool:
        """Whether the server can copy objects of ``source`` into this bucket by itself."""
        if not isinstance(source, CopyingBucket):
            return False
        same = self.spec.endpoint_url == source.spec.endpoint_url and self.spec.aws_profile == source.spec.aws_profile
        return same and (self.spec.endpoint_url is not None or self.connection.region == source.connection.region)

    def duplicate(self, source: object, path: bytes, place: str, headers: Mapping[str, str], query: str = "") -> Made:
        """Copy the object at ``path`` of ``source``, or the range that ``headers`` name, to the request path ``place``.

        A success whose body is an error is a failure. Raises FileNotFoundError, RequestError.
        """
        assert isinstance(source, CopyingBucket)
        origin = quote(f"{source.connection.bucket}/{source.connection.key_prefix}{key_of(path)}", safe="/~")
        asked = {"x-amz-copy-source": f"/{origin}", "content-length": "0", **headers}
        if source.spec.bucket_owner:
            asked["x-amz-source-expected-bucket-owner"] = source.spec.bucket_owner
        reply = self._objects.request("PUT", place, asked, query)
        body = _whole(reply)
        etag, checksum = _ETAG.search(body), _CHECKSUM.search(body)
        code, message = error_in(body)
        if code or etag is None:
            raise RequestError(
                code or "InvalidResponse", reply.status, message or "the server does not say what it did"
            )
        return Made(etag[1].decode(), checksum_of_text(checksum[1].decode()) if checksum else None)

    def tags(self, path: bytes) -> str:
        """The tags of an object as a query string; "" if it has none. Raises FileNotFoundError, RequestError."""
        try:
            reply = self._objects.request("GET", self._objects.address(path), {}, "tagging=")
        except RequestError as error:
            raise RequestError("tags not readable" if error.status else error.code, error.status, str(error)) from error
        body = _whole(reply)
        code, message = error_in(body)
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError:
            root = ElementTree.Element("")
        if code or not root.tag.endswith("Tagging"):
            raise RequestError(code or "InvalidResponse", reply.status, message or "the answer is no list of tags")
        return urlencode(
            [(tag.findtext("{*}Key", ""), tag.findtext("{*}Value", "")) for tag in root.iterfind(".//{*}Tag")]
        )


def _whole(reply: Reply) -> bytes:
    """The short body of an answer, which is closed. Raises RequestError."""
    try:
        return reply.read(_ANSWER_BYTES)
    except TransportError as error:
        raise failure_of(error) from error
    finally:
        reply.close()
