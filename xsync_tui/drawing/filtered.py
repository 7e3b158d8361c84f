"""What the Survey screen's panes show of a folder or of a size alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.planning.sizes import SizeTimes, decimal_bins, size_times
from engine.planning.values import Roofline, SizeBin
from engine.survey.facts import FolderSizes, FolderStatistics, SizesInside
from xsync_tui.drawing.folders import FolderTable, Sort
from xsync_tui.drawing.histogram import size_label


class Look(NamedTuple):
    """What is looked at: a folder. ``own``: of its sizes those of the files directly in it.

    ``only``: of its folders those with files of one row of sizes, by its least size. ``above``,
    ``cursor``, ``sort``: the pane that was left for this, the row in it, and how folders were sorted.
    """

    path: str = ""
    own: bool = False
    only: int | None = None
    above: bool = False
    cursor: int = 0
    sort: Sort = "bytes"


EVERYTHING = Look()


class Inside(NamedTuple):
    """What a catalog tells of a folder: the folders in it, and the sizes in each; None: not read yet."""

    folders: tuple[FolderStatistics, ...]
    sizes: SizesInside | None = None


def times_of(sizes: SizesInside, look: Look, one: Roofline, like: Sequence[SizeBin]) -> SizeTimes:
    """What the sizes in the folder that is looked at take one agent, in the rows of the whole."""
    found = sizes.own if look.own else sizes.whole
    return size_times(decimal_bins(found.bins, like), one, found.largest)


def only_these(table: FolderTable, sizes: SizesInside, row: SizeBin) -> FolderTable:
    """The folders of ``table`` by their files of the sizes of ``row`` alone; those without any are left out."""
    folders = []
    for each in table.folders:
        found = sizes.folders.get(each.path, FolderSizes())
        folders += [
            msgspec.structs.replace(each, files=part.files, bytes=part.bytes)
            for part in found.bins
            if part.low == row.low
        ]
    files, size = next(((part.files, part.bytes) for part in sizes.whole.bins if part.low == row.low), (0, 0))
    return table._replace(folders=folders, bytes=size, files=files, only=size_label(row))
