"""S3's storage classes by the names that PutObject takes: what each is for, and what it charges for small objects.

From the S3 User Guide, Understanding and managing Amazon S3 storage classes. Pure.
"""

from __future__ import annotations

from typing import NamedTuple


class StorageClass(NamedTuple):
    """``words``: for whom it is. ``small_bytes``: objects of fewer bytes cost more than their size, see ``small``."""

    name: str
    words: str
    small_bytes: int = 0
    small: str = ""


_AS_128_KIB = (128 << 10, "billed as 128 KiB each")
_40_KIB_MORE = (40 << 10, "each billed 40 KiB of index beside its data")

STORAGE_CLASSES = (
    StorageClass("STANDARD", "read at any time, kept for any time"),
    StorageClass("INTELLIGENT_TIERING", "moves what is not read to cheaper tiers"),
    StorageClass("STANDARD_IA", "read seldom, kept for 30 days at least", *_AS_128_KIB),
    StorageClass("ONEZONE_IA", "as STANDARD_IA, but in one zone alone", *_AS_128_KIB),
    StorageClass("GLACIER_IR", "archive read at once, 90 days at least", *_AS_128_KIB),
    StorageClass("GLACIER", "archive restored in hours, 90 days at least", *_40_KIB_MORE),
    StorageClass("DEEP_ARCHIVE", "archive restored in 12 - 48 h, 180 days at least", *_40_KIB_MORE),
)
"""Those that a bucket takes without more, the usual one first."""


def storage_class(name: str | None) -> StorageClass:
    """The class of that name; one of other servers is taken as it is."""
    wanted = name or STORAGE_CLASSES[0].name
    return next((each for each in STORAGE_CLASSES if each.name == wanted), StorageClass(wanted, "as the server has it"))
