"""ETags of stores that make them of MD5s: most do for what is not encrypted with keys of KMS."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from engine.locations.base import PartResult

PLAIN_ETAG = 32
"""Digits of an ETag that is the MD5 of the content; those of multipart uploads are longer."""

_MD5 = re.compile("[0-9a-f]{32}")


def new_hash(body: bytes | memoryview = b"") -> hashlib._Hash:
    """What makes the ETag of an object, or of a part, out of its content, which may be added step by step."""
    return hashlib.md5(body, usedforsecurity=False)


def etag_of(body: bytes | memoryview) -> str:
    """The ETag of an object, or of a part, with this content; without quotes."""
    return new_hash(body).hexdigest()


def etag_of_parts(parts: Sequence[PartResult]) -> str | None:
    """The ETag of an object made of ``parts``; None if their own are no MD5s."""
    etags = [part.etag.strip('"').lower() for part in parts]
    if not all(map(_MD5.fullmatch, etags)):
        return None
    return f"{etag_of(bytes.fromhex(''.join(etags)))}-{len(etags)}"
