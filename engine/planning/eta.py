"""How long the rest takes, as a range, from what is pending and the rates of the last seconds. Pure."""

from __future__ import annotations

MARGIN = 0.08
"""Predictions of transfers with history are off by 5 to 15 %: a range narrower than that would be a bare number."""


def eta(
    pending_files: int, pending_bytes: int, files_per_second: float, bytes_per_second: float, listing_complete: bool
) -> tuple[float, float] | None:
    """Seconds left as (low, high), or None while that cannot be known.

    An agent behaves like a roofline of F files/s and B bytes/s; what is seen, f and b, are the two at once, so f <= F
    and b <= B. With N files and S bytes left the rest takes at most ``max(N/f, S/b)``, the rates being reachable, and
    about ``min(N/f, S/b)`` if the rate that was not the limit until now becomes it. Both agree while the mix of sizes
    stays what it was. MARGIN is added on either side. Where one rate is not known (one huge file: no file ends; empty
    files: no byte moves) the other decides, and high is twice low. None: no rate is known, or the listing still finds
    work, for which every end would be invented.
    """
    if not listing_complete:
        return None
    if pending_files <= 0 and pending_bytes <= 0:
        return (0.0, 0.0)
    guesses = [
        pending / rate
        for pending, rate in ((pending_files, files_per_second), (pending_bytes, bytes_per_second))
        if pending > 0 and rate > 0
    ]
    unknown = (pending_files > 0 and files_per_second <= 0) or (pending_bytes > 0 and bytes_per_second <= 0)
    if not guesses:
        return None
    low = min(guesses) * (1 - MARGIN)
    high = max(guesses) * (1 + MARGIN)
    return (low, max(high, 2 * low) if unknown else high)
