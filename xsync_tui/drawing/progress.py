"""How far an execution is, in words and shares that never promise more than is done. Pure."""

from __future__ import annotations

from engine.model import Snapshot
from engine.quantities import format_bytes, format_count_short, format_share
from xsync_tui.text import width_of


def joined(parts: list[str], cells: int) -> str:
    """As many of ``parts`` as fit, whole."""
    text = ""
    for part in parts:
        longer = f"{text} {part}" if not text else f"{text}  {part}"
        if width_of(longer) > cells:
            break
        text = longer
    return text


def copied(snapshot: Snapshot) -> list[str]:
    """Bytes copied of bytes found; where most is skipped, files checked of files found says more."""
    totals, files = snapshot.totals, snapshot.totals.files
    least = "" if totals.listing_complete else "at least "
    copied = f"copied {format_bytes(totals.bytes.transferred)}"
    if files.skipped <= files.transferred:
        return [f"{copied} of {least}{format_bytes(totals.bytes.source)}"]
    checked = format_count_short(files.discovered - files.pending)
    return [f"checked {checked} of {least}{format_count_short(files.discovered)} files", copied]


def share_done(snapshot: Snapshot) -> float:
    """How much is as it should be, 0 to 1: by bytes where there are any, else by files. What failed is not done.

    A journal that is older than bytes of failed files says nothing of them: at the end what was transferred counts.
    """
    totals = snapshot.totals
    files, size = totals.files, totals.bytes
    if size.source and snapshot.status.ended and files.failed and not files.skipped and not size.failed:
        return size.transferred / size.source
    if size.source:
        return size.done / size.source
    return 1 - (files.pending + files.failed) / files.discovered if files.discovered else 1.0


def percent_done(snapshot: Snapshot, share: float) -> str:
    """Never 100 % before the end: folders and the last checks come after the last byte."""
    return format_share(share if snapshot.status.ended else min(share, 0.999), 1.0)
