"""What a check says: one line an aspect, with what to do where something is wrong. Pure values."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "failure"]


class Finding(msgspec.Struct, frozen=True):
    """``about``: source, destination, network, credentials, clock, host. ``advice``: what to do, or ""."""

    about: str
    level: Level
    text: str
    advice: str = ""


def ok(about: str, text: str) -> Finding:
    """Something that is as it should be."""
    return Finding(about, "ok", text)


def warning(about: str, text: str, advice: str) -> Finding:
    """Something that a run survives, and a person should know before."""
    return Finding(about, "warning", text, advice)


def failure(about: str, text: str, advice: str) -> Finding:
    """Something that a run would fail at."""
    return Finding(about, "failure", text, advice)


class Expected(msgspec.Struct, frozen=True):
    """What is to be copied as far as it is known: from the latest survey, and from a plan."""

    files: int
    bytes: int
    largest_bytes: int = 0
    seconds: float | None = None
