"""The Survey screen as text: sizes by time, folders, what filters what, hazards, and its states."""

from __future__ import annotations

from datetime import UTC

import msgspec

from engine.planning.values import SizeBin
from engine.survey.facts import Compressibility, ExtensionRatio, FolderSizes, Hazard, SizesInside
from tests.tui.reading import page as text
from tests.unit.planning_values import measured
from xsync_tui.drawing.filtered import Look, only_these, times_of
from xsync_tui.drawing.folders import FolderTable
from xsync_tui.drawing.rows import Canvas, plain, width
from xsync_tui.drawing.survey import Scanning, SurveyView, survey_rows
from xsync_tui.drawing.survey_panes import Pane, pane_length, panes_of
from xsync_tui.gallery.planning import FILES, HAZARDS, NOW, SIZES, bins, folder, report, survey_view
from xsync_tui.screens.survey import _times_so_far

NARROW = Canvas(zone=UTC)
ASCII = NARROW._replace(unicode=False)
WIDE = NARROW._replace(width=120, height=36)
WIDE_ASCII = WIDE._replace(unicode=False)
VIEW = survey_view(report(hazards=HAZARDS))
ONE = measured(2_900, 550e6)
SCANNING = Scanning(3_100_000, 3_200_000, 9 * 10**12, 18.0, 2, bins=tuple(bins()[:7]), largest=9 * 10**6, waiting=2_104)
SCANS = SurveyView(NOW, times=_times_so_far(SCANNING, ONE), origin=VIEW.origin, scanning=SCANNING)
SAMPLED = Compressibility(
    0.62, 0.04, 64 << 20, 512, 0.97, 1, (ExtensionRatio("svs", 0.99, 1 << 25), ExtensionRatio("csv", 0.2, 1 << 24))
)


def by_size() -> SurveyView:
    """Folders by their files of 10-100 kB."""
    assert VIEW.table is not None
    table = only_these(VIEW.table._replace(sort="files"), SIZES, SizeBin(10**4, 10**5, 0, 0))
    return VIEW._replace(table=table, look=Look(only=10**4), cursor=0)


def in_folder() -> SurveyView:
    """The sizes in one folder, and the folders in it."""
    assert VIEW.times is not None
    look = Look(path="2024")
    sizes = SizesInside(SIZES.folders["2024"], FolderSizes(), {"2024/12": SIZES.folders["2024"]})
    times = times_of(sizes, look, ONE, [each.bin for each in VIEW.times.bins])
    table = FolderTable("2024", [folder("2024/12", 100_009, 4.4e10, 150 * 86_400)], 44 * 10**9, NOW, files=100_009)
    return VIEW._replace(times=times, table=table, look=look, cursor=0)


def test_a_survey_at_80_columns() -> None:
    assert (
        text(survey_rows(VIEW, NARROW), NARROW)
        == """
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Size        │ files               │ bytes               │ time, 1 agent ●
 empty       │▏             <0.1 % │                 0 % │▏             <0.1 %
 < 1 kB      │████▏           10 % │▏             <0.1 % │▎              0.4 %
 1-10 kB     │█████████████   32 % │▏             <0.1 % │▋              1.5 %
 10-100 kB   │██████████▏     25 % │▏              0.1 % │▌              1.1 %
┄┄┄ knee 190 kB: above this line a file costs time, below it its bytes do ┄┄┄┄┄┄
 100 kB-1 MB │████▉           12 % │▌              1.1 % │▍              1.0 %
 1-10 MB     │██████▌         16 % │█████▋          14 % │█████▌          13 %
 10-100 MB   │█▍             3.5 % │██████████▏     25 % │█████████▉      24 %
 100 MB-1 GB │▎              0.5 % │█████████████   32 % │████████████▋   31 %
 > 1 GB      │▏             <0.1 % │███████████     27 % │██████████▋     26 %
 Folders in /            files   bytes ▼  share of bytes        mtime  ctime 7 d
  2025                  3.11 M   14.2 TB  ███·······   29 %     2 min    9.00 GB
▶ 2024                  3.00 M   12.9 TB  ██▊·······   27 %       3 d          0
  2023                  3.10 M   11.2 TB  ██▍·······   23 %     16 mo          0
  2022                  3.20 M   9.80 TB  ██········   20 %       2 y          0
  (files in it)              3   1.23 kB  ▏········· <0.1 %         -          0
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_a_survey_in_ascii() -> None:
    assert (
        text(survey_rows(VIEW, ASCII), ASCII)
        == """
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Size        | files               | bytes               | time, 1 agent *
 empty       |              <0.1 % |                 0 % |              <0.1 %
 < 1 kB      |####            10 % |              <0.1 % |               0.4 %
 1-10 kB     |#############   32 % |              <0.1 % |               1.5 %
 10-100 kB   |##########      25 % |               0.1 % |               1.1 %
--- knee 190 kB: above this line a file costs time, below it its bytes do ------
 100 kB-1 MB |####            12 % |               1.1 % |               1.0 %
 1-10 MB     |######          16 % |#####           14 % |#####           13 %
 10-100 MB   |#              3.5 % |##########      25 % |#########       24 %
 100 MB-1 GB |               0.5 % |#############   32 % |############    31 %
 > 1 GB      |              <0.1 % |###########     27 % |##########      26 %
 Folders in /            files   bytes v  share of bytes        mtime  ctime 7 d
  2025                  3.11 M   14.2 TB  ###.......   29 %     2 min    9.00 GB
> 2024                  3.00 M   12.9 TB  ##........   27 %       3 d          0
  2023                  3.10 M   11.2 TB  ##........   23 %     16 mo          0
  2022                  3.20 M   9.80 TB  ##........   20 %       2 y          0
  (files in it)              3   1.23 kB  .......... <0.1 %         -          0
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_a_survey_at_120_columns() -> None:
    assert (
        text(survey_rows(VIEW, WIDE), WIDE)
        == """
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Size        │ files                            │ bytes                            │ time, 1 agent ●
 empty       │▏                          <0.1 % │                              0 % │▏                          <0.1 %
 < 1 kB      │████████▏                    10 % │▏                          <0.1 % │▍                           0.4 %
 1-10 kB     │██████████████████████████   32 % │▏                          <0.1 % │█▎                          1.5 %
 10-100 kB   │████████████████████▍        25 % │▏                           0.1 % │█                           1.1 %
┄┄┄ knee 190 kB: above this line a file costs time, below it its bytes do ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
 100 kB-1 MB │█████████▊                   12 % │▉                           1.1 % │▉                           1.0 %
 1-10 MB     │█████████████                16 % │███████████▍                 14 % │███████████                  13 %
 10-100 MB   │██▉                         3.5 % │████████████████████▎        25 % │███████████████████▋         24 %
 100 MB-1 GB │▍                           0.5 % │██████████████████████████   32 % │█████████████████████████▏   31 %
 > 1 GB      │▏                          <0.1 % │█████████████████████▉       27 % │█████████████████████▎       26 %
 Folders in /                                       files   bytes ▼  share of bytes                     mtime  ctime 7 d
  2025                                             3.11 M   14.2 TB  ██████▉················   29 %     2 min    9.00 GB
▶ 2024                                             3.00 M   12.9 TB  ██████▎················   27 %       3 d          0
  2023                                             3.10 M   11.2 TB  █████▍·················   23 %     16 mo          0
  2022                                             3.20 M   9.80 TB  ████▊··················   20 %       2 y          0
  (files in it)                                         3   1.23 kB  ▏······················ <0.1 %         -          0
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_a_survey_at_120_columns_in_ascii() -> None:
    assert (
        text(survey_rows(VIEW, WIDE_ASCII)[:9], WIDE_ASCII)
        == """
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Size        | files                            | bytes                            | time, 1 agent *
 empty       |                           <0.1 % |                              0 % |                           <0.1 %
 < 1 kB      |########                     10 % |                           <0.1 % |                            0.4 %
 1-10 kB     |##########################   32 % |                           <0.1 % |#                           1.5 %
 10-100 kB   |####################         25 % |                            0.1 % |#                           1.1 %
--- knee 190 kB: above this line a file costs time, below it its bytes do ----------------------------------------------
 100 kB-1 MB |#########                    12 % |                            1.1 % |                            1.0 %
""".strip("\n")
    )


def test_bars_grow_while_it_scans() -> None:
    assert (
        text(survey_rows(SCANS, NARROW), NARROW)
        == """
 So far bytes decide: 70 % of the files are small, but take 17 % of the time.
 PARTIAL 3,100,000 files  9.00 TB  178 k/s  18 s  ! 2 unreadable  2,104 queued
 Size        │ files               │ bytes               │ time, 1 agent ●
 empty       │▏             <0.1 % │                 0 % │▏             <0.1 %
 < 1 kB      │█▌              10 % │▏             <0.1 % │▍              2.6 %
 1-10 kB     │████▊           33 % │▏              0.2 % │█▎             8.5 %
 10-100 kB   │███▊            26 % │▏              1.1 % │█              6.6 %
┄┄┄ knee 190 kB: above this line a file costs time, below it its bytes do ┄┄┄┄┄┄
 100 kB-1 MB │█▊              12 % │█              7.1 % │▉              5.9 %
 1-10 MB     │██▍             16 % │█████████████   91 % │██████████▉     76 %
 10-100 MB   │                 0 % │                 0 % │                 0 %
 100 MB-1 GB │                 0 % │                 0 % │                 0 %
 > 1 GB      │                 0 % │                 0 % │                 0 %

 Folders, ages and hazards are computed when all is listed. Nothing is written
 to the source. C stops it: what was found is kept, and the next survey goes on
 from there within 12 hours.
""".strip("\n")
    )


def test_bars_grow_at_120_columns_in_ascii() -> None:
    assert (
        text(survey_rows(SCANS, WIDE_ASCII), WIDE_ASCII)
        == """
 So far bytes decide: 70 % of the files are small, but take 17 % of the time.
 PARTIAL 3,100,000 files  9.00 TB  178 k/s  18 s  ! 2 unreadable  2,104 folders queued
 Size        | files                            | bytes                            | time, 1 agent *
 empty       |                           <0.1 % |                              0 % |                           <0.1 %
 < 1 kB      |###                          10 % |                           <0.1 % |                            2.6 %
 1-10 kB     |#########                    33 % |                            0.2 % |##                          8.5 %
 10-100 kB   |#######                      26 % |                            1.1 % |#                           6.6 %
--- knee 190 kB: above this line a file costs time, below it its bytes do ----------------------------------------------
 100 kB-1 MB |###                          12 % |##                          7.1 % |#                           5.9 %
 1-10 MB     |####                         16 % |##########################   91 % |#####################        76 %
 10-100 MB   |                              0 % |                              0 % |                              0 %
 100 MB-1 GB |                              0 % |                              0 % |                              0 %
 > 1 GB      |                              0 % |                              0 % |                              0 %

 Folders, ages and hazards are computed when all is listed. Nothing is written to the source. C stops it: what was
 found is kept, and the next survey goes on from there within 12 hours.
""".strip("\n")
    )


def test_no_row_moves_while_bars_grow() -> None:
    early = Scanning(1, 1, 5, 0.2, bins=(SizeBin(0, 1, 0, 0), SizeBin(1, 10, 1, 5)), largest=5, waiting=9)
    step = SCANNING._replace(step="computing statistics", waiting=0)
    labels = []
    for scanning in (early, SCANNING, step):
        view = SCANS._replace(scanning=scanning, times=_times_so_far(scanning, ONE))
        labels.append([line[:14] for line in plain(survey_rows(view, NARROW))[2:13] if "knee" not in line])
    assert labels[0] == labels[1] == labels[2]


def test_a_scan_that_found_nothing_yet_says_so() -> None:
    view = SCANS._replace(scanning=Scanning(), times=_times_so_far(Scanning(), ONE))
    assert (
        text(survey_rows(view, NARROW)[:4], NARROW)
        == """
 No file was found yet.
 PARTIAL 0 files  0 B  ?  0 s
 Size        │ files               │ bytes               │ time, 1 agent ●
 empty       │                 0 % │                 0 % │                 0 %
""".strip("\n")
    )


def test_a_survey_that_goes_on_keeps_the_folders_of_the_last_one_below() -> None:
    view = VIEW._replace(scanning=SCANNING._replace(step="computing statistics"), times=SCANS.times)
    assert (
        text(survey_rows(view, NARROW), NARROW)
        == """
 So far bytes decide: 70 % of the files are small, but take 17 % of the time.
 PARTIAL 3,100,000 files  9.00 TB  178 k/s  18 s  ! 2 unreadable  2,104 queued
 Size        │ files               │ bytes               │ time, 1 agent ●
 empty       │▏             <0.1 % │                 0 % │▏             <0.1 %
 < 1 kB      │█▌              10 % │▏             <0.1 % │▍              2.6 %
 1-10 kB     │████▊           33 % │▏              0.2 % │█▎             8.5 %
 10-100 kB   │███▊            26 % │▏              1.1 % │█              6.6 %
┄┄┄ knee 190 kB: above this line a file costs time, below it its bytes do ┄┄┄┄┄┄
 100 kB-1 MB │█▊              12 % │█              7.1 % │▉              5.9 %
 1-10 MB     │██▍             16 % │█████████████   91 % │██████████▉     76 %
 10-100 MB   │                 0 % │                 0 % │                 0 %
 100 MB-1 GB │                 0 % │                 0 % │                 0 %
 > 1 GB      │                 0 % │                 0 % │                 0 %
 computing statistics  below: the last survey, of 14 May: 12,301,315 files
 Folders in /            files   bytes ▼  share of bytes        mtime  ctime 7 d
  2025                  3.11 M   14.2 TB  ███·······   29 %     2 min    9.00 GB
▶ 2024                  3.00 M   12.9 TB  ██▊·······   27 %       3 d          0
  2023                  3.10 M   11.2 TB  ██▍·······   23 %     16 mo          0
  2022                  3.20 M   9.80 TB  ██········   20 %       2 y          0
 ! 15 hazards: 12 x unreadable, 3 x keys over 1,024 bytes
""".strip("\n")
    )


def test_a_scan_that_is_cancelled_says_that_it_stops() -> None:
    view = SCANS._replace(scanning=SCANNING._replace(stopping=True))
    assert plain(survey_rows(view, NARROW))[0].strip() == "Stopping: what was found is kept."


def test_a_partial_survey_says_so_far() -> None:
    rows = survey_rows(survey_view(report(partial=True)), NARROW)[:3]
    assert (
        text(rows, NARROW)
        == """
 So far bytes decide: 67 % of the files are small, but take 3.2 % of the time.
 at least 12,301,315 files  47.8 TB  PARTIAL  1 min  172 k/s  14 May
 Size        │ files               │ bytes               │ time, 1 agent ●
""".strip("\n")
    )


def test_without_a_survey_it_says_what_one_does() -> None:
    assert (
        text(survey_rows(SurveyView(NOW), NARROW), NARROW)
        == """
 Not surveyed yet: nothing is known of how much there is.

 A survey lists names, sizes and times; it opens no file and writes nothing
 there. A million files take a few seconds on a local disk, longer over a
 network. R starts it.
""".strip("\n")
    )


def test_names_from_outside_cannot_take_over_the_terminal() -> None:
    hostile = "a\x1b]0;owned\x07\u202eb"
    table = FolderTable(hostile, [folder(f"{hostile}/{hostile}", 3, 10, 5.0)], 10, NOW)
    hazards = (Hazard(f"odd\x1b[2J {hostile}", 1, (hostile,), hostile),)
    bad = msgspec.structs.replace(
        report(hazards=hazards),
        compressibility=msgspec.structs.replace(SAMPLED, by_extension=(ExtensionRatio(hostile, 0.5, 9),)),
    )
    look = Look(path=hostile)
    for pane in panes_of(bad, WIDE):
        for canvas in (WIDE, WIDE_ASCII):
            view = survey_view(bad)._replace(table=table, pane=pane, look=look, reading=hostile, cursor=0)
            for each in (view, view._replace(reading=None, look=Look(hostile, only=10**4))):
                drawn = "".join(plain(survey_rows(each, canvas)))
                assert not any(mark in drawn for mark in "\x1b\x07\u202e")
                assert "\\x1b" in drawn
                assert {width(row) for row in survey_rows(each, canvas)} <= set(range(canvas.width + 1))


def test_a_flat_folder_has_one_row() -> None:
    flat = FolderTable("", [folder("", FILES, 48.1e12, 5.0)], 48_100_000_000_000, NOW, files=FILES)
    rows = plain(survey_rows(VIEW._replace(table=flat, cursor=0), NARROW))
    assert rows[14].startswith("▶ (files in it)")


def test_a_billion_files_fit() -> None:
    huge = msgspec.structs.replace(
        report(partial=True), files=10**9, bytes=10**18, directories=10**8, surveyed_at=NOW - 9 * 86_400
    )
    assert (
        text(survey_rows(survey_view(huge), NARROW)[1:2], NARROW)
        == """
 at least 1,000,000,000 files  1.00 EB  PARTIAL  ! 5 May, 9 days old
""".strip("\n")
    )
    scanning = SCANNING._replace(files=10**9, entries=11 * 10**8, bytes=10**18, seconds=6_400.0, errors=1_000_000)
    assert (
        text(survey_rows(SCANS._replace(scanning=scanning), NARROW)[1:2], NARROW)
        == """
 PARTIAL 1,000,000,000 files  1.00 EB  172 k/s  1 h 47  ! 1,000,000 unreadable
""".strip("\n")
    )


def test_every_pane_scrolls_to_its_last_row() -> None:
    panes: tuple[Pane, ...] = ("folders", "ages", "kinds", "hazards")
    for pane in panes:
        view = VIEW._replace(pane=pane)
        assert view.report is not None
        last = pane_length(pane, view.report, view.table, NARROW) - 1
        short = NARROW._replace(height=17)
        assert any(line.startswith("▶") for line in plain(survey_rows(view._replace(cursor=last), short)))


def test_many_small_files_make_the_count_decide_and_one_large_one_the_size() -> None:
    slow = survey_view(report(), files_per_second=2.0)
    assert plain(survey_rows(slow, NARROW))[0].startswith(" File count decides: 9")
    one = survey_view(report())
    assert one.times is not None
    huge = one._replace(times=one.times._replace(largest_bytes=40 * 10**12, largest_seconds=one.times.seconds * 0.8))
    assert plain(survey_rows(huge, NARROW))[0].startswith(" One file decides: the largest has 40.0 TB and takes ")


def test_an_answer_is_never_cut() -> None:
    view = in_folder()._replace(look=Look(path="a/long/path/of/many/names/that/goes/on"))
    rows = plain(survey_rows(view, NARROW))
    assert " ".join(line.strip() for line in rows[:2]).endswith("of the time.")


def test_an_old_survey_says_its_age() -> None:
    old = VIEW._replace(now=NOW + 12 * 86_400)
    assert "12 days old" in plain(survey_rows(old, NARROW))[1]


def test_an_error_comes_first() -> None:
    rows = survey_rows(SurveyView(NOW, problem="/mnt/lab: no such folder"), NARROW)
    assert plain(rows)[0].strip() == "! /mnt/lab: no such folder"


def test_what_the_figures_rest_on_at_80_columns() -> None:
    rows = survey_rows(VIEW._replace(one=ONE, why=True), NARROW)
    assert (
        text(rows, NARROW)
        == """
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 mtime: the newest file's age. ctime 7 d: bytes written, moved in or chmodded
 files: beside these a run counts 12 links, 12,301,327 in all
 The answer
 is        8,322,854 of 12,301,315 files lie in rows below the knee and take
           48 min of 24 h 52 = 3.2 %; from 67 % on their number decides, up to
           33 % bytes do, between them both
 rests on  ◐ probed: all names, sizes and times, 2025-05-14 22:00:00 +0000
 better by R: surveys again, where much has changed since
 The knee
 is        B / F = 550 MB/s / 2.90 k files/s = 190 kB: a file of that size
           takes as long for its bytes as for being a file
 rests on  ● measured: a test run, 2023-11-14 22:13:20 +0000
 better by nothing: F and B are measured
 Time of 100 MB-1 GB with 1 agent
 is        62,065 files / 2.90 k files/s = 21.4 s; 15.4 TB / 550 MB/s = 7 h 46;
           the longer of both is 7 h 46 of 24 h 52 = 31 % of all rows. Agents
           share it: 3 plans how many
 rests on  ● measured: a test run, 2023-11-14 22:13:20 +0000
""".strip("\n")
    )


def test_the_figures_tell_what_a_run_counts_beside_regular_files() -> None:
    def told(**others: int) -> list[str]:
        found = VIEW._replace(one=ONE, why=True, report=msgspec.structs.replace(report(), **others))
        return [line.strip() for line in plain(survey_rows(found, NARROW)) if line.startswith(" files: ")]

    assert told(symlinks=1, specials=2) == [
        "files: beside these a run counts 1 link and 2 special files, 12,301,318 in all"
    ]
    assert told(symlinks=0, specials=0) == []


def test_what_the_figures_rest_on_is_below_the_sizes_on_a_high_screen() -> None:
    shown = text(survey_rows(VIEW._replace(one=ONE, why=True, above=True, cursor=3), WIDE_ASCII), WIDE_ASCII)
    assert shown.index("knee 190 kB: above") < shown.index("B / F = 550 MB/s / 2.90 k files/s = 190 kB")
    assert "Time of 10-100 kB with 1 agent" in shown
    assert "rests on  * measured: a test run, 2023-11-14 22:13:20 +0000" in shown


def test_filtered_by_a_size_its_time_is_what_says_why() -> None:
    shown = text(survey_rows(by_size()._replace(one=ONE, why=True), NARROW), NARROW)
    assert "Time of 10-100 kB with 1 agent" in shown
    assert "The answer" not in shown


def test_of_what_was_stopped_and_of_one_large_file_it_says_so() -> None:
    one = measured(2_900, 550e6)
    view = survey_view(report(partial=True))
    assert view.times is not None
    view = view._replace(times=view.times._replace(largest_seconds=view.times.seconds * 0.9), one=one, why=True)
    shown = text(survey_rows(view, NARROW), NARROW)
    assert "the largest file alone takes" in shown
    assert "of what it had seen when it was stopped" in shown
    assert "better by R: it goes on, and sees the rest" in shown
