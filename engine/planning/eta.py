"""How long the rest takes, as a range, from what is pending and the rates of the last seconds. Pure."""

from __future__ import annotations

_ACCURACY = 1.15
"""Predictions of transfers with history are off by 5 to 15 %: a range narrower than that would be a bare number."""


def eta(
    pending_files: int, pending_bytes: int, files_per_second: float, bytes_per_second: float, listing_complete: bool
) -> tuple[float, float] | None:
    """Seconds left as (low, high), or None while that cannot be known.

    With N files, S bytes, F files/s and B bytes/s an agent behaves like a roofline: if the fixed cost of a file and the
    moving of bytes overlap fully, the rest takes ``max(N/F, S/B)``; if they do not overlap at all, ``N/F + S/B``. The
    truth lies between, so these are low and high; high is at least 15 % above low. Where one rate is not known (one
    huge file: no file ends; empty files: no byte moves) its part is taken to be no longer than the known one, so high
    is twice low. None: no rate is known, or the listing still finds work, for which every end would be invented.
    """
    if not listing_complete:
        return None
    if pending_files <= 0 and pending_bytes <= 0:
        return (0.0, 0.0)
    by_files = _seconds(pending_files, files_per_second)
    by_bytes = _seconds(pending_bytes, bytes_per_second)
    known = [part for part in (by_files, by_bytes) if part is not None]
    if not known or max(known) == 0.0:
        return None
    low = max(known)
    high = sum(known) if len(known) == 2 else 2 * low
    return (low, max(high, low * _ACCURACY))


def _seconds(pending: int, rate: float) -> float | None:
    if pending <= 0:
        return 0.0
    return pending / rate if rate > 0 else None
