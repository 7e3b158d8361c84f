"""Looks into a survey: which folder and which sizes are looked at, what was looked at before, and what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.planning.sizes import SizeTimes
from xsync_tui.drawing.filtered import EVERYTHING, Inside, Look, only_these, times_of
from xsync_tui.drawing.folders import SORTS, FolderTable, Sort, in_order
from xsync_tui.surveying import first_level

if TYPE_CHECKING:
    from engine.planning.values import Roofline
    from engine.survey.report import SurveyReport

MOST_FOLDERS = 5_000
"""Folders that a table holds: the first in its order. It is drawn at each key."""


class Looks:
    """The looks that were taken into ``report``, the present one last; ``times``: of the whole, for an agent ``one``.

    What a look needs of the catalog is told once by folder (``learn``). ``reading``: the folder that is asked about.
    """

    def __init__(self, report: SurveyReport | None, times: SizeTimes | None, one: Roofline | None) -> None:
        self.report = report
        self.reading: str | None = None
        self._whole, self._one = times, one
        self._taken = [EVERYTHING]
        self._inside: dict[str, Inside] = {}
        self._table: tuple[object, FolderTable] | None = None

    @property
    def present(self) -> Look:
        """What is looked at."""
        return self._taken[-1]

    @property
    def deep(self) -> bool:
        """Whether there is a look to go back to."""
        return len(self._taken) > 1

    def knows(self, path: str) -> bool:
        """Whether the catalog has told of a folder."""
        return path in self._inside

    def learn(self, path: str, inside: Inside) -> None:
        """What the catalog told of a folder."""
        self._inside[path] = inside

    def take(self, look: Look) -> None:
        """Look so."""
        self._taken.append(look)

    def undo(self) -> Look:
        """Look as before; returns the look that is left."""
        return self._taken.pop()

    def times(self) -> SizeTimes | None:
        """What the sizes in what is looked at take."""
        look = self.present
        inside = self._inside.get(look.path)
        if self._whole is None or self._one is None or not (look.path or look.own) or inside is None:
            return self._whole
        if inside.sizes is None:
            return self._whole
        return times_of(inside.sizes, look, self._one, [each.bin for each in self._whole.bins])

    def sort_for(self, low: int) -> Sort:
        """By files where a file of a row of sizes costs time, by bytes where its bytes do."""
        times = self.times()
        by = [each.by for each in times.bins if each.bin.low == low] if times is not None else []
        return "files" if by == ["files"] else "bytes"

    def table(self, sort: Sort) -> FolderTable | None:
        """The folders of what is looked at."""
        if self.report is None or self._whole is None:
            return None
        key = (self.present.path, self.present.only, sort)
        if self._table is None or self._table[0] != key:
            self._table = key, self._new_table(self.report, self._whole, sort)
        return self._table[1]

    def _new_table(self, report: SurveyReport, whole: SizeTimes, sort: Sort) -> FolderTable:
        look = self.present
        inside = self._inside.get(look.path) or Inside(first_level(report))
        size, files = report.bytes, report.files
        if look.path:
            size, files = sum(each.bytes for each in inside.folders), sum(each.files for each in inside.folders)
        table = FolderTable(look.path, inside.folders, size, report.surveyed_at, sort, files=files)
        row = next((each.bin for each in whole.bins if each.bin.low == look.only), None)
        if row is not None and inside.sizes is not None:
            table = only_these(table, inside.sizes, row)
        ordered = in_order(table)
        return table._replace(folders=ordered[:MOST_FOLDERS], more=max(0, len(ordered) - MOST_FOLDERS))


def next_sort(sort: Sort, *, filtered: bool) -> Sort:
    """The column after this one; ``filtered`` by size there are only files and bytes."""
    sorts = SORTS[:2] if filtered else SORTS
    return sorts[(SORTS.index(sort) + 1) % len(sorts)]
