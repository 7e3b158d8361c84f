"""Looks into a survey: what they show, what is undone, and how many folders a table holds."""

from __future__ import annotations

import msgspec
import pytest

from engine.survey.facts import Layout, WidestDirectory
from tests.unit.planning_values import measured
from xsync_tui import looks
from xsync_tui.drawing.filtered import EVERYTHING, Inside, Look
from xsync_tui.drawing.folders import left_over
from xsync_tui.gallery.planning import SIZES, folder, report, survey_view
from xsync_tui.looks import Looks
from xsync_tui.surveying import first_level

ONE = measured(2_900, 550e6)


def make() -> Looks:
    found = report()
    return Looks(found, survey_view(found).times, ONE)


def test_a_look_is_undone_to_the_one_before() -> None:
    found = make()
    found.learn("", Inside(first_level(report()), SIZES))
    whole = found.times()
    found.take(Look(only=10**4))
    assert found.times() == whole
    table = found.table("files")
    assert table is not None
    assert [each.path for each in table.folders] == ["2025", "2024", ""]
    assert table.files == 3_100_003
    found.take(Look(own=True))
    own = found.times()
    assert own is not None
    assert (own.files, own.largest_bytes) == (3, 40_000)
    assert found.undo() == Look(own=True)
    assert found.undo() == Look(only=10**4)
    assert found.present == EVERYTHING
    assert not found.deep


def test_folders_are_ranked_by_what_a_size_costs() -> None:
    assert make().sort_for(1_000) == "files"
    assert make().sort_for(10**9) == "bytes"


def test_of_very_many_folders_a_table_holds_the_first_and_says_how_many_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "MOST_FOLDERS", 3)
    many = tuple(folder(f"d{number:02d}", number, 1_000 - number, 5.0) for number in range(20))
    wide = msgspec.structs.replace(report(), layout=Layout(1, WidestDirectory("", 20), many))
    found = Looks(wide, survey_view(wide).times, ONE)
    by_bytes, by_files = found.table("bytes"), found.table("files")
    assert by_bytes is not None
    assert by_files is not None
    assert [each.path for each in by_bytes.folders] == ["d00", "d01", "d02"]
    assert [each.path for each in by_files.folders] == ["d19", "d18", "d17"]
    assert left_over(by_bytes, 3) == "18 more folders"
