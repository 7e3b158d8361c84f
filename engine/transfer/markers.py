"""What the markers of an object store say of folders."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

from engine.locations.base import Reads
from engine.locations.metadata import DEFAULT_FOLDER_MODE, DEFAULT_ID
from engine.transfer.patience import patiently
from engine.transfer.reading import as_file
from engine.transfer.rows import Found
from engine.transfer.shared import Shared


def folder_at(shared: Shared, path: bytes, found: Found, allowed: Callable[[], bool]) -> tuple[Found, int]:
    """``found`` with the attributes of the folder at ``path`` of an object store, and its access time (ns).

    One without a marker gets DataSync's defaults and the time of now. Tried again while that can help. Raises OSError.
    """
    source = cast("Reads", shared.source)
    try:
        marker = patiently(shared, allowed, lambda: source.open_file(path + b"/" if path else path, 0, 0))
    except FileNotFoundError:
        now = time.time_ns()
        return found._replace(mode=DEFAULT_FOLDER_MODE, uid=DEFAULT_ID, gid=DEFAULT_ID, mtime_ns=now), now
    marker.close()
    has = marker.attributes
    return as_file(marker, found)._replace(mode=has.mode, uid=has.uid, gid=has.gid), has.atime_ns
