"""Asks a source again that does not answer now: for what is no row of a unit, and so has no retries of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from engine.errors import SilentSourceError
from engine.transfer import retry
from engine.transfer.reading import fault_of
from engine.transfer.retry import Fault, Kind
from engine.transfer.shared import Shared

_T = TypeVar("_T")


def patiently(shared: Shared, allowed: Callable[[], bool], ask: Callable[[], _T]) -> _T:
    """What ``ask`` returns; made again, while that can help and is ``allowed()``, for as long as a file is retried.

    Raises what ``ask`` raises in the end.
    """
    attempt, began = 0, shared.control.clock()
    while True:
        try:
            return ask()
        except (OSError, SilentSourceError) as error:
            fault = fault_of(error) if isinstance(error, OSError) else Fault(Kind.TRANSIENT, "unavailable")
            attempt += 1
            elapsed = shared.control.clock() - began
            delay = retry.delay(attempt, elapsed, shared.config.retry_seconds, random.random())
            if fault is None or not retry.retryable(fault.kind) or delay is None or not allowed():
                raise
            if fault.kind is Kind.THROTTLED:
                shared.gate.slowed()
            shared.pause(delay, allowed)
