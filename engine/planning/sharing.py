"""Divides the bandwidth of the fleet over its agents by what they can use."""

from __future__ import annotations

import math
from collections.abc import Mapping

IDLE_SHARE = 0.01
"""Of the limit, kept for agents that ask for nothing: with it they begin, and then they ask."""


def divide(limit: float, wants: Mapping[str, float]) -> dict[str, float]:
    """The bytes/s of each agent: never more than ``limit`` together, and above zero for each.

    ``wants``: name -> bytes/s that it can use, infinity if as much as it gets. Max-min fair: nobody gets more while
    another one wants more and has less. What nobody wants is spread evenly, so that whoever begins need not ask first.
    """
    if not wants:
        return {}
    least = IDLE_SHARE * limit / len(wants)
    left, shares = limit - least * len(wants), dict.fromkeys(wants, least)
    level = _level(left, [max(0.0, want - least) for want in wants.values()])
    for name, want in wants.items():
        shares[name] += min(max(0.0, want - least), level)
    surplus = max(0.0, limit - math.fsum(shares.values())) / len(wants)
    return {name: share + surplus for name, share in shares.items()}


def _level(amount: float, wants: list[float]) -> float:
    """What each may take at most so that all together take ``amount``, or infinity if that is enough for all."""
    left = amount
    for index, want in enumerate(sorted(wants)):
        fair = left / (len(wants) - index)
        if want > fair:
            return fair
        left -= want
    return math.inf
