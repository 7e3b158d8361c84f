"""Whether ETags of a store are MD5s of what it holds, as objects read so far have shown: then they prove the others."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

_PLAIN = re.compile("[0-9a-f]{32}")
_ENCRYPTION = "x-amz-server-side-encryption"
_NO_HASH = ("aws:kms", "aws:kms:dsse")
"""Encryptions whose ETags are no MD5s."""

FALSE_TWICE = 2
"""So many reads of one content that is not what its ETag says, and none yet that is: the ETag is no MD5."""

GIVEN_UP = 16
"""After so many objects whose ETags are no MD5s, and none whose is, no more are hashed."""


class Claim(NamedTuple):
    """An ETag that may be an MD5, and what decides it: how an object is encrypted changes what a server makes of it."""

    etag: str
    encryption: str


class EtagHashes:
    """Of one store; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._true: set[str] = set()
        self._false: dict[str, Counter[tuple[str, str]]] = {}

    def claim_of(self, headers: Mapping[str, str]) -> Claim | None:
        """The claim of an object with these ``headers``; None if its ETag is no MD5, or nobody would believe it."""
        encryption = headers.get(_ENCRYPTION, "")
        etag = headers.get("etag", "").strip('"')
        if encryption in _NO_HASH or f"{_ENCRYPTION}-customer-algorithm" in headers or not _PLAIN.fullmatch(etag):
            return None
        with self._lock:
            given_up = encryption not in self._true and len(self._false.get(encryption, ())) >= GIVEN_UP
        return None if given_up else Claim(etag, encryption)

    def judge(self, claim: Claim, digest: str) -> bool | None:
        """Whether a content of this MD5 is what it claims to be; None if that cannot be told, as the ETag is none.

        A server that made one ETag of an MD5 makes all of its kind so. Until one was seen a difference may mean either:
        it is damage, unless the same comes once more.
        """
        with self._lock:
            if digest == claim.etag:
                self._true.add(claim.encryption)
                return True
            seen = self._false.setdefault(claim.encryption, Counter())
            if len(seen) < GIVEN_UP:
                seen[claim.etag, digest] += 1
            again = seen[claim.etag, digest] >= FALSE_TWICE or len(seen) >= GIVEN_UP
            return None if again and claim.encryption not in self._true else False
