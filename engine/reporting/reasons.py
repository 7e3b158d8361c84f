"""In words: how files were verified, and why they were skipped. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.quantities import format_count

VERIFIED = {
    "server-checked": "server-checked: the destination compared our CRC64NVME",
    "read-back": "read-back: read again from the destination and compared",
    "stored-checksum": "stored-checksum: compared with the checksum that the destination keeps",
    "etag": "etag: compared by ETag",
    "size-only": "size-only: compared by size alone",
    "": "not verified",
}

_SKIPPED = {
    "special": "special (FIFOs, sockets, devices)",
    "vanished": "gone since they were listed",
    "exists": "there already, and not to be overwritten",
    "adopted": "adopted (there already)",
    "held back": "the same content, but for metadata that is held back",
}


def skipped(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Why files were skipped by ``report.json``, and how many; empty where all of them were unchanged."""
    reasons: Mapping[str, int] = report.get("skipped", {})
    unchanged = report["files"]["skipped"] - sum(reasons.values()) if reasons else 0
    counts = {**reasons, "unchanged": unchanged} if unchanged > 0 else reasons
    return [(_SKIPPED.get(reason, reason), format_count(count)) for reason, count in counts.items()]
