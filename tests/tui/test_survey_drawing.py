"""The Survey screen as text: sizes by time, folders, hazards, and its states."""

from __future__ import annotations

from datetime import UTC

from engine.survey.facts import Hazard
from tests.tui.reading import page as text
from xsync_tui.drawing.folders import FolderTable
from xsync_tui.drawing.rows import Canvas, plain
from xsync_tui.drawing.survey import Scanning, SurveyView, survey_rows
from xsync_tui.gallery.planning import HAZARDS, NOW, folder, report, survey_view

NARROW = Canvas(zone=UTC)
ASCII = NARROW._replace(unicode=False)
WIDE = NARROW._replace(width=120, height=36)
VIEW = survey_view(report(hazards=HAZARDS))
SCANNING = Scanning(3_100_000, 3_200_000, 9 * 10**12, 18.0, 2)


def test_a_survey_at_80_columns() -> None:
    rows = survey_rows(VIEW, NARROW)
    assert (
        text(rows, NARROW)
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
 Folders in /            files   bytes ▼  share of bytes       newest  in 7 days
  2025                  3.11 M   14.2 TB  ███·······   29 %     2 min    9.00 GB
▶ 2024                  3.00 M   12.9 TB  ██▊·······   27 %       3 d          0
  2023                  3.10 M   11.2 TB  ██▍·······   23 %     16 mo          0
  2022                  3.20 M   9.80 TB  ██········   20 %       2 y          0
  (files in it)              3   1.23 kB  ▏········· <0.1 %         -          0
 ! 15 hazards: 12 unreadable, 3 keys over 1,024 bytes
""".strip("\n")
    )


def test_a_survey_in_ascii() -> None:
    rows = survey_rows(VIEW, ASCII)
    assert (
        text(rows, ASCII)
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
 Folders in /            files   bytes v  share of bytes       newest  in 7 days
  2025                  3.11 M   14.2 TB  ###.......   29 %     2 min    9.00 GB
> 2024                  3.00 M   12.9 TB  ##........   27 %       3 d          0
  2023                  3.10 M   11.2 TB  ##........   23 %     16 mo          0
  2022                  3.20 M   9.80 TB  ##........   20 %       2 y          0
  (files in it)              3   1.23 kB  .......... <0.1 %         -          0
 ! 15 hazards: 12 unreadable, 3 keys over 1,024 bytes
""".strip("\n")
    )


def test_a_survey_at_120_columns() -> None:
    rows = survey_rows(VIEW, WIDE)
    assert (
        text(rows, WIDE)
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
 Folders in /                                       files   bytes ▼  share of bytes                    newest  in 7 days
  2025                                             3.11 M   14.2 TB  ██████▉················   29 %     2 min    9.00 GB
▶ 2024                                             3.00 M   12.9 TB  ██████▎················   27 %       3 d          0
  2023                                             3.10 M   11.2 TB  █████▍·················   23 %     16 mo          0
  2022                                             3.20 M   9.80 TB  ████▊··················   20 %       2 y          0
  (files in it)                                         3   1.23 kB  ▏······················ <0.1 %         -          0
 ! 15 hazards: 12 unreadable, 3 keys over 1,024 bytes
""".strip("\n")
    )


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


def test_a_survey_that_goes_on_keeps_the_last_one_below() -> None:
    rows = survey_rows(VIEW._replace(scanning=SCANNING), NARROW)[:4]
    assert (
        text(rows, NARROW)
        == """
 So far 3.10 M files, 2.90 MB each: listing.
 PARTIAL 3,100,000 files  9.00 TB  178 k/s  18 s  (last survey: 12.3 M)  ! 2 unr
 below: the last survey, of 14 May
 Size        │ files               │ bytes               │ time, 1 agent ●
""".strip("\n")
    )


def test_a_first_survey_says_what_it_does() -> None:
    rows = survey_rows(SurveyView(NOW, scanning=SCANNING), NARROW)
    assert (
        text(rows, NARROW)
        == """
 So far 3.10 M files, 2.90 MB each: listing.
 PARTIAL 3,100,000 files  9.00 TB  178 k/s  18 s  ! 2 unreadable

 Sizes, folders and hazards are computed when all is listed. Nothing is written
 to the source. C stops it: what was found is kept, and the next survey goes on
 from there within 12 hours.
""".strip("\n")
    )


def test_without_a_survey_it_says_what_one_does() -> None:
    rows = survey_rows(SurveyView(NOW), NARROW)
    assert (
        text(rows, NARROW)
        == """
 Not surveyed yet: nothing is known of how much there is.

 A survey lists names, sizes and times; it opens no file and writes nothing
 there. A million files take a few seconds on a local disk, longer over a
 network. R starts it.
""".strip("\n")
    )


def test_ages_and_extensions_have_bars() -> None:
    rows = (
        survey_rows(VIEW._replace(pane="ages", zoomed=True), NARROW)
        + survey_rows(VIEW._replace(pane="kinds", zoomed=True), NARROW)[2:]
    )
    assert (
        text(rows, NARROW)
        == """
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Modified       files                           bytes
 today          ▏                1.00 k <0.1 %  ▏               10.0 GB <0.1 %
 < 7 days       ▏                2.00 k <0.1 %  ▏                100 GB  0.2 %
 ! 15 hazards: 12 unreadable, 3 keys over 1,024 bytes
 Extension      files                           bytes
 svs            █▎               1.00 M  8.1 %  ██████████      30.0 TB   62 %
 (none)         ▏                     5 <0.1 %  ▏                 100 B <0.1 %
 ! 15 hazards: 12 unreadable, 3 keys over 1,024 bytes
""".strip("\n")
    )


def test_hazards_come_with_an_example_and_advice() -> None:
    rows = survey_rows(VIEW._replace(pane="hazards", zoomed=True), NARROW)
    assert (
        text(rows, NARROW)
        == r"""
 Bytes decide: 67 % of the files are small, but they take 3.2 % of the time.
 12,301,315 files  47.8 TB  213,044 folders  complete  1 min  172 k/s  14 May
 Hazards
 ! 12 unreadable: 2023/x\x1b[2J
   xsync reports them as failed: give it the right to read.
 ! 3 keys over 1,024 bytes: 2024/long
   They cannot be objects: rename them.
""".strip("\n")
    )


def test_names_from_outside_cannot_take_over_the_terminal() -> None:
    hostile = "a\x1b]0;owned\x07\u202eb"
    table = FolderTable("", [folder(hostile, 3, 10, 5.0)], 10, NOW, cursor=0)
    hazards = (Hazard(f"odd\x1b[2J {hostile}", 1, (hostile,), hostile),)
    for pane in ("folders", "hazards"):
        view = survey_view(report(hazards=hazards))._replace(table=table, pane=pane)
        drawn = "".join(plain(survey_rows(view, NARROW)))
        assert "\x1b" not in drawn
        assert "\u202e" not in drawn
        assert "\\x1b" in drawn


def test_many_small_files_make_the_count_decide_and_one_large_one_the_size() -> None:
    slow = survey_view(report(), files_per_second=2.0)
    assert plain(survey_rows(slow, NARROW))[0].startswith(" File count decides: 9")
    one = survey_view(report())
    assert one.times is not None
    huge = one._replace(times=one.times._replace(largest_bytes=40 * 10**12, largest_seconds=one.times.seconds * 0.8))
    assert plain(survey_rows(huge, NARROW))[0].startswith(" One file decides: the largest has 40.0 TB and takes ")


def test_an_old_survey_says_its_age() -> None:
    old = VIEW._replace(now=NOW + 12 * 86_400)
    assert "12 days old" in plain(survey_rows(old, NARROW))[1]


def test_an_error_comes_first() -> None:
    rows = survey_rows(SurveyView(NOW, problem="/mnt/lab: no such folder"), NARROW)
    assert plain(rows)[0].strip() == "! /mnt/lab: no such folder"
