"""Requests to an object store, counted by kind. Pure; what they cost is in prices.toml."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from engine.planning.prices import Prices
from engine.planning.values import Dataset

KEYS_OF_A_PAGE = 1_000
"""ListObjectsV2 returns so many keys."""

SINGLE_BYTES, PART_BYTES, MOST_PARTS = 32 << 20, 16 << 20, 9_000
"""Files over the first are sent in parts of at least the second, and of more where that would make too many."""

_READS = ("GET", "HEAD")
_FREE = ("DELETE",)


class Requests(msgspec.Struct, frozen=True):
    """Counts by kind: PUT (parts too), COPY, POST (begins and completes uploads), LIST, GET, HEAD."""

    counts: dict[str, int] = {}

    def plus(self, **more: int) -> Requests:
        """These and ``more``."""
        counts = dict(self.counts)
        for name, count in more.items():
            if count:
                counts[name] = counts.get(name, 0) + count
        return Requests(counts)

    def dollars(self, prices: Prices, storage_class: str | None = None) -> float:
        """USD, with all PUT and POST at the price of ``storage_class``: for archives in parts more than is billed."""
        return sum(count * unit_price(name, prices, storage_class) for name, count in self.counts.items())


def unit_price(kind: str, prices: Prices, storage_class: str | None = None) -> float:
    """USD of one request. LIST costs the same in all classes, DELETE nothing."""
    if kind in _FREE:
        return 0.0
    each = prices.of(None if kind == "LIST" else storage_class)
    return (each.get_per_thousand if kind in _READS else each.put_per_thousand) / 1_000


class Uploads(NamedTuple):
    """How files are sent: so many whole, so many in parts, and their parts together."""

    single: int
    large: int
    parts: int


def uploads(dataset: Dataset) -> Uploads:
    """How the files of ``dataset`` are sent; a size bin (or all without bins) is taken as files of its mean size."""
    bins = [(each.files, each.bytes) for each in dataset.bins] or [(dataset.files, dataset.bytes)]
    single = large = parts = 0
    for count, size in bins:
        if count <= 0 or size / count <= SINGLE_BYTES:
            single += max(0, count)
            continue
        part = max(PART_BYTES, math.ceil(size / count / MOST_PARTS))
        large += count
        parts += count * math.ceil(size / count / part)
    return Uploads(single, large, parts)


def pages(entries: int) -> int:
    """Requests that list so many entries, at least."""
    return max(1, -(-entries // KEYS_OF_A_PAGE))
