"""The lower pane of the Survey screen as text: what filters what, the map, ages, hazards, what compresses."""

from __future__ import annotations

import msgspec
import pytest

from engine.survey.facts import Hazard
from tests.tui.reading import page as text
from tests.tui.test_survey_drawing import ASCII, NARROW, SAMPLED, VIEW, WIDE, WIDE_ASCII, by_size, in_folder
from xsync_tui.drawing.folders import FolderTable
from xsync_tui.drawing.rows import Canvas, plain, width
from xsync_tui.drawing.survey import survey_rows
from xsync_tui.drawing.survey_panes import panes_of
from xsync_tui.gallery.planning import NOW, folder, report, survey_view


def test_folders_are_ranked_by_files_of_one_size() -> None:
    assert (
        text(survey_rows(by_size(), NARROW), NARROW)
        == """
 Files of 10-100 kB take 1.1 % of the time; 96 % of them lie in 2025.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Size        │ files               │ bytes               │ time, 1 agent ●
 empty       │▏             <0.1 % │                 0 % │▏             <0.1 %
 < 1 kB      │████▏           10 % │▏             <0.1 % │▎              0.4 %
 1-10 kB     │█████████████   32 % │▏             <0.1 % │▋              1.5 %
»10-100 kB   │██████████▏     25 % │▏              0.1 % │▌              1.1 %
┄┄┄ knee 190 kB: above this line a file costs time, below it its bytes do ┄┄┄┄┄┄
 100 kB-1 MB │████▉           12 % │▌              1.1 % │▍              1.0 %
 1-10 MB     │██████▌         16 % │█████▋          14 % │█████▌          13 %
 10-100 MB   │█▍             3.5 % │██████████▏     25 % │█████████▉      24 %
 100 MB-1 GB │▎              0.5 % │█████████████   32 % │████████████▋   31 %
 > 1 GB      │▏             <0.1 % │███████████     27 % │██████████▋     26 %
 10-100 kB in /        files ▼     bytes  share of files
▶ 2025                  3.00 M    100 GB  █████████▋   96 %
  2024                   100 k   4.00 GB  ▍·········  3.2 %
  (files in it)              3   90.0 kB  ▏········· <0.1 %
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_folders_are_ranked_by_files_of_one_size_in_ascii() -> None:
    assert (
        text(survey_rows(by_size(), ASCII)[-6:], ASCII)
        == """
 > 1 GB      |              <0.1 % |###########     27 % |##########      26 %
 10-100 kB in /        files v     bytes  share of files
> 2025                  3.00 M    100 GB  #########.   96 %
  2024                   100 k   4.00 GB  ..........  3.2 %
  (files in it)              3   90.0 kB  .......... <0.1 %
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_sizes_are_those_of_one_folder() -> None:
    assert (
        text(survey_rows(in_folder(), NARROW), NARROW)
        == """
 In /2024 bytes decide: 99 % of the files are small, but take 32 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Size        │ files in /2024      │ bytes               │ time, 1 agent ●
 empty       │                 0 % │                 0 % │                 0 %
 < 1 kB      │                 0 % │                 0 % │                 0 %
 1-10 kB     │                 0 % │                 0 % │                 0 %
 10-100 kB   │█████████████   99 % │█▏             9.0 % │████▏           32 %
┄┄┄ knee 190 kB: above this line a file costs time, below it its bytes do ┄┄┄┄┄┄
 100 kB-1 MB │                 0 % │                 0 % │                 0 %
 1-10 MB     │                 0 % │                 0 % │                 0 %
 10-100 MB   │                 0 % │                 0 % │                 0 %
 100 MB-1 GB │                 0 % │                 0 % │                 0 %
 > 1 GB      │▏             <0.1 % │███████████▉    90 % │████████▉       67 %
 Folders in /2024        files   bytes ▼  share of bytes        mtime  ctime 7 d
▶ 12                     100 k   44.0 GB  ██████████  100 %      5 mo          0
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_sizes_are_those_of_one_folder_at_120_columns_in_ascii() -> None:
    assert (
        text(survey_rows(in_folder(), WIDE_ASCII)[:4], WIDE_ASCII)
        == """
 In /2024 bytes decide: 99 % of the files are small, but take 32 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Size        | files in /2024                   | bytes                            | time, 1 agent *
 empty       |                              0 % |                              0 % |                              0 %
""".strip("\n")
    )


def test_sizes_have_the_cursor_where_they_have_the_keys() -> None:
    rows = plain(survey_rows(VIEW._replace(above=True, cursor=2), NARROW))
    assert [line[:10] for line in rows if line.startswith("▶")] == ["▶1-10 kB  "]


def test_what_is_read_in_the_catalog_is_said() -> None:
    rows = plain(survey_rows(VIEW._replace(reading="2025"), NARROW))
    assert rows[13].rstrip() == " computing /2025 from the catalog  backspace leaves it"


def test_the_map_shows_two_levels_and_how_old_they_are() -> None:
    rows = survey_rows(VIEW._replace(pane="map"), WIDE)[13:]
    assert (
        text(rows, WIDE)
        == """
 Map of / 47.8 TB   ▶ 2024  12.9 TB  27 %  newest 3 d
 width: bytes   ██ changed in 7 days   ▒▒ within a year   ░░ older
│2025 14.2 TB 29 %                 │2024 12.9 TB 27 %               │2023 11.2 TB 23 %          │2022 9.80 TB 20 %
│██████████████████████████████████│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░░░░░░░░░░░░░░░░░░░░░░░░│░░░░░░░░░░░░░░░░░░░░░░░
│██████████████████████████████████│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░░░░░░░░░░░░░░░░░░░░░░░░│░░░░░░░░░░░░░░░░░░░░░░░
│██████████████████████████████████│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░░░░░░░░░░░░░░░░░░░░░░░░│░░░░░░░░░░░░░░░░░░░░░░░
│██████████████████████████████████│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░░░░░░░░░░░░░░░░░░░░░░░░│░░░░░░░░░░░░░░░░░░░░░░░
│05 8.00 TB 16 %    │04 5.00 TB │03│12 12.9 TB 27 %                 │01 7.00 TB 14 %  │         │
│███████████████████│▒▒▒▒▒▒▒▒▒▒▒│▒▒│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░░░░░░░░░░░░░░│         │
│███████████████████│▒▒▒▒▒▒▒▒▒▒▒│▒▒│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░░░░░░░░░░░░░░│         │
│███████████████████│▒▒▒▒▒▒▒▒▒▒▒│▒▒│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░░░░░░░░░░░░░░│         │
│███████████████████│▒▒▒▒▒▒▒▒▒▒▒│▒▒│▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│░░░░░░░░░░░░░░░░░│         │
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_the_map_in_ascii() -> None:
    rows = survey_rows(VIEW._replace(pane="map"), WIDE_ASCII)[13:]
    assert (
        text(rows, WIDE_ASCII)
        == """
 Map of / 47.8 TB   > 2024  12.9 TB  27 %  newest 3 d
 width: bytes   ## changed in 7 days   == within a year   .. older
|2025 14.2 TB 29 %                 |2024 12.9 TB 27 %               |2023 11.2 TB 23 %          |2022 9.80 TB 20 %
|##################################|================================|...........................|.......................
|##################################|================================|...........................|.......................
|##################################|================================|...........................|.......................
|##################################|================================|...........................|.......................
|05 8.00 TB 16 %    |04 5.00 TB |03|12 12.9 TB 27 %                 |01 7.00 TB 14 %  |         |
|###################|===========|==|================================|.................|         |
|###################|===========|==|================================|.................|         |
|###################|===========|==|================================|.................|         |
|###################|===========|==|================================|.................|         |
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_the_map_needs_room() -> None:
    assert "map" in panes_of(report(), Canvas(100, 26))
    assert "map" not in panes_of(report(), Canvas(99, 26))
    assert "map" not in panes_of(report(), Canvas(100, 25))
    assert "samples" not in panes_of(report(), NARROW)


@pytest.mark.parametrize("cells", [100, 101, 113, 120, 211])
def test_the_map_is_as_wide_as_the_screen_for_any_folders(cells: int) -> None:
    canvas = Canvas(cells, 36)
    for sizes in ([1], [10**15, 1], [5] * 60, [0, 0], [7, 3, 2, 1, 1, 1, 0], []):
        found = [folder(f"d{number}", 1, size, 5.0) for number, size in enumerate(sizes)]
        table = FolderTable("", found, sum(sizes), NOW)
        for cursor in {0, max(0, len(found) - 1)}:
            rows = survey_rows(VIEW._replace(pane="map", table=table, cursor=cursor), canvas)
            assert {width(each) for each in rows} == {cells}


def test_ages_and_extensions_have_bars() -> None:
    ages = survey_rows(VIEW._replace(pane="ages", zoomed=True, cursor=0), NARROW)
    kinds = survey_rows(VIEW._replace(pane="kinds", zoomed=True), NARROW)
    assert (
        text(ages + kinds[2:], NARROW)
        == """
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Modified       files                           bytes
▶today          ▏                1.00 k <0.1 %  ▏               10.0 GB <0.1 %
 < 7 days       ▏                2.00 k <0.1 %  ▏                100 GB  0.2 %
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
 Extension      files                           bytes
 svs            █▎               1.00 M  8.1 %  ██████████      30.0 TB   62 %
▶(none)         ▏                     5 <0.1 %  ▏                 100 B <0.1 %
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_hazards_come_with_advice_and_examples() -> None:
    rows = survey_rows(VIEW._replace(pane="hazards", zoomed=True), NARROW)
    assert (
        text(rows, NARROW)
        == r"""
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Hazards
 ! 12 x unreadable
   xsync reports them as failed: give it the right to read.
   2023/x\x1b[2J
▶! 3 x keys over 1,024 bytes
   They cannot be objects: rename them.
   2024/long
""".strip("\n")
    )


def test_many_hazards_keep_the_one_under_the_cursor_open() -> None:
    many = tuple(Hazard(f"kind {number}", 50 - number, (f"path{number}",), "Advice.") for number in range(20))
    for cursor in (0, 7, 19):
        rows = plain(survey_rows(survey_view(report(hazards=many))._replace(pane="hazards", cursor=cursor), NARROW))
        at = next(index for index, line in enumerate(rows) if line.startswith("▶"))
        assert [line.strip() for line in rows[at : at + 3]] == [
            f"▶! {50 - cursor} x kind {cursor}",
            "Advice.",
            f"path{cursor}",
        ]


def test_what_compresses_is_shown_where_it_was_sampled() -> None:
    sampled = msgspec.structs.replace(report(), compressibility=SAMPLED)
    assert panes_of(sampled, NARROW)[-1] == "samples"
    rows = survey_rows(survey_view(sampled)._replace(pane="samples", zoomed=True, cursor=0), NARROW)[2:]
    assert (
        text(rows, NARROW)
        == """
 Compression  zstd -1 leaves 62 +-4 %: 67.1 MB sampled, for 97 % of the bytes
▶svs            ███████████████████████████████████▋  99 %  of 33.6 MB sampled
 csv            ███████▎····························  20 %  of 16.8 MB sampled
 ✓ no hazards
""".strip("\n")
    )


def test_one_hazard_is_not_several() -> None:
    one = survey_view(report(hazards=(Hazard("unreadable", 1, ("a",)),)))
    assert plain(survey_rows(one, NARROW))[-1].strip() == "! 1 hazard: 1 x unreadable"
