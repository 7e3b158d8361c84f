"""Requests to an object store, and what they cost. Pure."""

from __future__ import annotations

import msgspec

DOLLARS_PER_THOUSAND = {"PUT": 0.005, "COPY": 0.005, "POST": 0.005, "LIST": 0.005, "GET": 0.0004, "HEAD": 0.0004}
"""S3 Standard in us-east-1, in USD (https://aws.amazon.com/s3/pricing, Requests & data retrievals).

Other classes and regions cost more, other servers often nothing; DELETE is free. POST begins and completes uploads.
"""

KEYS_OF_A_PAGE = 1_000
"""ListObjectsV2 returns so many keys."""


class Requests(msgspec.Struct, frozen=True):
    """Counts by kind."""

    counts: dict[str, int] = {}

    def plus(self, **more: int) -> Requests:
        """These and ``more``."""
        counts = dict(self.counts)
        for name, count in more.items():
            if count:
                counts[name] = counts.get(name, 0) + count
        return Requests(counts)

    @property
    def dollars(self) -> float:
        """What they cost at the list prices above."""
        return sum(count * DOLLARS_PER_THOUSAND.get(name, 0.0) / 1_000 for name, count in self.counts.items())


def pages(entries: int) -> int:
    """Requests that list so many entries, at least."""
    return max(1, -(-entries // KEYS_OF_A_PAGE))
