"""The Report screen's rows: foretold against taken first, then the ledger, failures, tables and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from xsync_tui.drawing.report import View, body
from xsync_tui.drawing.rows import Canvas, Row, plain, width
from xsync_tui.gallery.proving import CANVASES, FAILED, HOSTILE, NARROW, NOW, PLAIN, WIDE, report

FOLDER = Path("/var/lib/xsync/executions/20250514-125000-lab-images-3f2a")
FILES = [FOLDER / name for name in ("report.json", "report.html", "files.parquet")]


def drawn(rows: list[Row]) -> str:
    return "\n" + "\n".join(line.rstrip() for line in plain(rows)) + "\n"


def test_inside_what_was_foretold() -> None:
    assert (
        drawn(body(View(report(), FOLDER.name, FILES, now=NOW), NARROW))
        == """
 ✓ SUCCESS: foretold 6 h 05 - 7 h 10, took 6 h 22: inside.
 foretold  █████████████████████████████████████████████████████████░░░░░░░░░░
 took      ███████████████████████████████████████████████████████████▎
 48.1 TB sent, 2.18 GB/s while transferring. 12:45:44 - 19:07:44 on agent-01.
 Of that: listing 1 min, folders 12 s.
 discovered = transferred + skipped + failed + excluded + pending │   verified
 12,412,907    12,412,907         0        0          0         0 │ 12,412,907
 task                       files    bytes
 2022                      3.10 M  9.00 TB ██████████████████
 2023                      3.10 M  10.0 TB ████████████████████
 2024                      3.10 M  11.0 TB ██████████████████████
 2025                      3.10 M  12.0 TB ████████████████████████
 v shows another table
 Files: report.json, report.html, files.parquet, in
 /var/lib/xsync/executions/20250514-125000-lab-images-3f2a
"""
    )


def test_failures_by_cause_with_what_helps() -> None:
    assert (
        drawn(body(View(FAILED, FOLDER.name, FILES, 2, 3, now=NOW), PLAIN))
        == r"""
 x ERROR: foretold 2 h 46 - 3 h 54, took 6 h 22: later; 3 entries failed.
 ! 3 of 12,412,907 files failed
 foretold  #############################////////////
 took      ##################################################################
 48.1 TB sent, 2.18 GB/s while transferring. 12:45:44 - 19:07:44 on agent-01.
 Of that: listing 1 min, folders 12 s.
 Execution 2 of 3, 20250514-125000-lab-images-3f2a; [ ] shows another.
 discovered = transferred + skipped + failed + excluded + pending |   verified
 12,412,907    12,412,904         0        3          0         0 | 12,412,904
 x 2 failed: changed while read
     It was written to while it was read: run again when it is quiet. such as
     2023/May/a\x1b]0;x\x07...[/b]\x9b2J.svs
 x 1 failed: unreadable a\x1b]0;x...\u200b[/b]\x9b2J
     This account may not read it: run as an account that may.
 task                       files    bytes
 2022                      3.10 M  9.00 TB ##################
 2023                      3.10 M  10.0 TB ####################
 2 more; v shows another table
 Files: report.json, report.html, files.parquet, in
 /var/lib/xsync/executions/20250514-125000-lab-images-3f2a
"""
    )


def test_with_room_the_tables_stand_side_by_side() -> None:
    assert (
        drawn(body(View(report(), FOLDER.name, FILES, 3, 3, now=NOW), WIDE))
        == """
 ✓ SUCCESS: foretold 6 h 05 - 7 h 10, took 6 h 22: inside.
 foretold  ██████████████████████████████████████████████████████████████████████████████████████████░░░░░░░░░░░░░░░░
 took      ██████████████████████████████████████████████████████████████████████████████████████████████▏
 48.1 TB sent, 2.18 GB/s while transferring. 12:45:44 - 19:07:44 on agent-01.
 Of that: listing 1 min, folders 12 s.
 Execution 3 of 3, 20250514-125000-lab-images-3f2a; [ ] shows another.
 discovered = transferred + skipped + failed + excluded + pending │   verified
 12,412,907    12,412,907         0        0          0         0 │ 12,412,907

 task           files    bytes           agent          files    bytes           folder with    files    bytes
 2022          3.10 M  9.00 TB ████▌     agent-1       3.10 M  12.0 TB ██████    2025          3.10 M  14.0 TB ██████
 2023          3.10 M  10.0 TB █████     agent-2       3.10 M  12.0 TB ██████    2024          3.10 M  13.0 TB █████▋
 2024          3.10 M  11.0 TB █████▌    agent-3       3.10 M  12.0 TB ██████    2023          3.10 M  12.0 TB █████▏
 2025          3.10 M  12.0 TB ██████    agent-4       3.10 M  12.0 TB ██████    2022          3.10 M  11.0 TB ████▊
 Files: report.json, report.html, files.parquet, in
 /var/lib/xsync/executions/20250514-125000-lab-images-3f2a
"""
    )


def test_what_nothing_was_foretold_of() -> None:
    assert (
        drawn(body(View(report(estimate=None, tasks=[], agents=[], top_folders=[]), FOLDER.name, now=NOW), NARROW))
        == """
 ✓ SUCCESS: took 6 h 22; nothing was foretold of it.
 48.1 TB sent, 2.18 GB/s while transferring. 12:45:44 - 19:07:44 on agent-01.
 Of that: listing 1 min, folders 12 s.
 discovered = transferred + skipped + failed + excluded + pending │   verified
 12,412,907    12,412,907         0        0          0         0 │ 12,412,907
"""
    )


def test_nothing_ran_yet() -> None:
    assert (
        drawn(body(View({}), NARROW))
        == """
 Nothing has run yet. 5 runs it; its report is here at the end.
"""
    )


def test_no_report_yet() -> None:
    assert (
        drawn(body(View({}, FOLDER.name), NARROW))
        == """
 20250514-125000-lab-images-3f2a has no report yet: it is written at the end. 5
 shows how far it is.
"""
    )


HUGE = dict.fromkeys(("discovered", "transferred", "verified"), 10**12)
VIEWS = (
    View({}),
    View({}, looking=HOSTILE),
    View({}, trouble=HOSTILE * 30),
    View(FAILED, HOSTILE, [Path("/x") / HOSTILE], 1, 2),
    View(report(host=HOSTILE, files=report()["files"] | HUGE), FOLDER.name, FILES, table=1),
    View(report(failure_counts={f"cause {n}": n for n in range(30)}), FOLDER.name, FILES, table=2),
    View(report(tasks=[report()["tasks"][0] | {"name": HOSTILE}] * 64), FOLDER.name, FILES),
)


@pytest.mark.parametrize("canvas", [*CANVASES, Canvas(80, 5), Canvas(200, 60)])
@pytest.mark.parametrize("view", VIEWS)
def test_every_state_fits_and_is_safe(view: View, canvas: Canvas) -> None:
    rows = body(view, canvas)
    assert 0 < len(rows) <= canvas.height
    assert max(map(width, rows)) <= canvas.width
    text = "\n".join(plain(rows))
    assert not set(text) & set("\x1b\x07\x9b\u202e\u200b\udcff")
    assert canvas.unicode or text.isascii()


@pytest.mark.parametrize(
    ("took", "how"), [(21_900.0, "inside"), (25_801.0, "inside"), (25_860.0, "later"), (60.0, "sooner")]
)
def test_the_first_line_holds_what_was_foretold_against_what_it_took(took: float, how: str) -> None:
    said = report()["estimate"] | {"took_seconds": took, "inside": how == "inside"}
    assert plain(body(View(report(estimate=said)), NARROW))[0].endswith(f": {how}.")
