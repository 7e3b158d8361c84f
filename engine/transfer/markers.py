"""What the markers of an object store say of folders."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import cast

from engine.locations.base import OpenFile, Reads, RequestError
from engine.locations.metadata import DEFAULT_FOLDER_MODE, DEFAULT_ID
from engine.transfer import retry
from engine.transfer.reading import as_file, fault_of
from engine.transfer.rows import Found
from engine.transfer.shared import Shared


def folder_at(shared: Shared, path: bytes, found: Found, allowed: Callable[[], bool]) -> tuple[Found, int]:
    """``found`` with the attributes of the folder at ``path`` of an object store, and its access time (ns).

    One without a marker gets DataSync's defaults and the time of now. Tried again while that can help. Raises OSError.
    """
    try:
        marker = _marker(shared, path, allowed)
    except FileNotFoundError:
        now = time.time_ns()
        return found._replace(mode=DEFAULT_FOLDER_MODE, uid=DEFAULT_ID, gid=DEFAULT_ID, mtime_ns=now), now
    marker.close()
    has = marker.attributes
    return as_file(marker, found)._replace(mode=has.mode, uid=has.uid, gid=has.gid), has.atime_ns


def _marker(shared: Shared, path: bytes, allowed: Callable[[], bool]) -> OpenFile:
    attempt, began = 0, shared.control.clock()
    while True:
        try:
            return cast("Reads", shared.source).open_file(path + b"/" if path else path, 0, 0)
        except RequestError as error:
            fault = fault_of(error)
            attempt += 1
            elapsed = shared.control.clock() - began
            delay = retry.delay(attempt, elapsed, shared.config.retry_seconds, random.random())
            if fault is None or not retry.retryable(fault.kind) or delay is None or not allowed():
                raise
            shared.pause(delay, allowed)
