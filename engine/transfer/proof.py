"""What goes along with a small body, and what its answer must say, so that damage on the way is found."""

from __future__ import annotations

import base64
from typing import NamedTuple

from engine.locations.base import ServerChecks
from engine.locations.etags import etag_of
from engine.transfer.crt import Header, checksum_text
from engine.transfer.retry import Fault, Kind

DAMAGED = Fault(Kind.TRANSIENT, "BadDigest", "the server received something else than was read")


class Proof(NamedTuple):
    """The header of a body, and the ETag that its object must have; "" where ETags prove nothing."""

    header: Header
    etag: str


def proof_of(checks: ServerChecks, body: memoryview, checksum: int) -> Proof:
    """The proof that a server with these ``checks`` gives; ``checksum`` is the CRC64NVME of ``body``."""
    if checks != "md5":
        return Proof(("x-amz-checksum-crc64nvme", checksum_text(checksum)), "")
    etag = etag_of(body)
    return Proof(("content-md5", base64.b64encode(bytes.fromhex(etag)).decode()), etag)
