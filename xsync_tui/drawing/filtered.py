"""What the Survey screen's panes show of a folder or of a size alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from engine.planning.sizes import SizeTimes, decimal_bins, size_times
from engine.planning.values import Roofline, SizeBin
from engine.survey.facts import FolderSizes, FolderStatistics
from xsync_tui.drawing.folders import FolderTable
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
    sort: int = 0


EVERYTHING = Look()


class Inside(NamedTuple):
    """What a catalog tells of a folder: the folders in it, and the sizes in each; None: not read yet."""

    folders: tuple[FolderStatistics, ...]
    sizes: Mapping[str, FolderSizes] | None = None


def times_of(inside: Inside, look: Look, one: Roofline, like: Sequence[SizeBin]) -> SizeTimes:
    """What the sizes in a folder take one agent, in the rows of the whole; ``inside`` has its sizes."""
    sizes = inside.sizes or {}
    found = [sizes[look.path]] if look.own and look.path in sizes else [] if look.own else list(sizes.values())
    bins = [each for some in found for each in some.bins]
    return size_times(decimal_bins(bins, like), one, max((some.largest for some in found), default=0))


def only_these(table: FolderTable, sizes: Mapping[str, FolderSizes], row: SizeBin) -> FolderTable:
    """The folders of ``table`` by their files of the sizes of ``row`` alone; those without any are left out."""
    folders = []
    for each in table.folders:
        found = sizes.get(each.path)
        mine = [part for part in found.bins if row.low <= part.low < row.high] if found is not None else []
        files, size = sum(part.files for part in mine), sum(part.bytes for part in mine)
        if files:
            folders.append(msgspec.structs.replace(each, files=files, bytes=size))
    whole = sum(each.bytes for each in folders), sum(each.files for each in folders)
    return table._replace(folders=folders, bytes=whole[0], files=whole[1], only=size_label(row))
