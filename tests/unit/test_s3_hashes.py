"""ETags count as MD5s once one was: then a difference is damage, before it may mean either."""

from __future__ import annotations

import pytest

from engine.locations.s3_hashes import GIVEN_UP, Claim, EtagHashes

ETAG, OTHER = "a" * 32, "b" * 32
PLAIN = Claim(ETAG, "")


@pytest.mark.parametrize(
    ("headers", "claim"),
    [
        ({"etag": f'"{ETAG}"'}, PLAIN),
        ({"etag": f'"{ETAG}"', "x-amz-server-side-encryption": "AES256"}, Claim(ETAG, "AES256")),
        ({"etag": f'"{ETAG}-2"'}, None),
        ({"etag": '"0x8D4BCC2E4835CD0"'}, None),
        ({}, None),
        ({"etag": f'"{ETAG}"', "x-amz-server-side-encryption": "aws:kms"}, None),
        ({"etag": f'"{ETAG}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, None),
    ],
)
def test_only_what_looks_like_an_md5_claims_to_be_one(headers: dict[str, str], claim: Claim | None) -> None:
    assert EtagHashes().claim_of(headers) == claim


def test_once_an_etag_was_an_md5_a_difference_is_damage_however_often() -> None:
    hashes = EtagHashes()
    assert hashes.judge(PLAIN, ETAG) is True
    assert [hashes.judge(PLAIN, OTHER) for _ in range(3)] == [False] * 3


def test_a_difference_before_that_is_damage_unless_it_comes_again() -> None:
    hashes = EtagHashes()
    assert [hashes.judge(PLAIN, OTHER), hashes.judge(PLAIN, OTHER)] == [False, None]
    assert hashes.judge(PLAIN, ETAG) is True
    assert hashes.judge(PLAIN, OTHER) is False


def test_objects_encrypted_otherwise_are_judged_by_their_own_kind() -> None:
    hashes = EtagHashes()
    assert hashes.judge(PLAIN, ETAG) is True
    encrypted = Claim(ETAG, "AES256")
    assert [hashes.judge(encrypted, OTHER), hashes.judge(encrypted, OTHER)] == [False, None]


def test_a_store_whose_etags_are_never_md5s_is_not_asked_again() -> None:
    hashes = EtagHashes()
    for number in range(GIVEN_UP):
        hashes.judge(Claim(f"{number:032x}", ""), OTHER)
    assert hashes.claim_of({"etag": f'"{ETAG}"'}) is None
    assert hashes.judge(PLAIN, OTHER) is None  # one that was being read then
    encrypted = {"etag": f'"{ETAG}"', "x-amz-server-side-encryption": "AES256"}
    assert hashes.claim_of(encrypted) == Claim(ETAG, "AES256")
