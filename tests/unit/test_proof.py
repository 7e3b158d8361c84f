"""What goes along with a body is what its server can check, and ETags of parts make that of their object."""

from __future__ import annotations

import base64
import hashlib

import pytest

from engine.locations.base import PartResult, ServerChecks
from engine.locations.etags import etag_of, etag_of_parts
from engine.locations.s3_objects import checksum_of_text
from engine.transfer.crt import crc64nvme
from engine.transfer.proof import Proof, proof_of

BODY = memoryview(b"123456789")


@pytest.mark.parametrize("checks", ["crc64nvme", ""])
def test_a_crc64nvme_goes_along_with_a_body(checks: ServerChecks) -> None:
    # The check value of CRC-64/NVME for these bytes, in the catalogue of CRC algorithms.
    expected = base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()
    assert proof_of(checks, BODY, crc64nvme(BODY)) == Proof(("x-amz-checksum-crc64nvme", expected), "")


def test_an_md5_goes_along_where_the_server_knows_no_other() -> None:
    digest = hashlib.md5(BODY)
    expected = base64.b64encode(digest.digest()).decode()
    assert proof_of("md5", BODY, crc64nvme(BODY)) == Proof(("content-md5", expected), digest.hexdigest())


def test_the_etag_of_parts_is_that_of_their_digests() -> None:
    parts = [PartResult(1, 9, 0, f'"{etag_of(BODY)}"'), PartResult(2, 0, 0, etag_of(b"").upper())]
    together = hashlib.md5(hashlib.md5(BODY).digest() + hashlib.md5(b"").digest()).hexdigest()
    assert etag_of_parts(parts) == f"{together}-2"


def test_parts_whose_etags_are_no_digests_make_none() -> None:
    assert etag_of_parts([PartResult(1, 9, 0, etag_of(BODY)), PartResult(2, 9, 0, "opaque")]) is None


@pytest.mark.parametrize(
    ("text", "checksum"),
    [("AAAAAAAAAAg=", 8), ("7GPWqg==", None), ("AAAAAAAAAAAAAAg=", None), ("no base64!", None), ("", None)],
)
def test_what_is_no_crc64nvme_counts_as_none(text: str, checksum: int | None) -> None:
    assert checksum_of_text(text) == checksum
