"""The wizard's rows in every step and state, at both sizes and in ASCII, and the week of its limits.

The texts are in ``goldens/wizard-*.txt``; ``python -m tests.tui.test_wizard_drawing`` writes them anew, to be read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model import LimitRule
from xsync_tui.drawing.rows import Canvas, plain, width
from xsync_tui.drawing.week import WEEK_ROWS, week_rows
from xsync_tui.drawing.wizard import wizard_rows
from xsync_tui.gallery.describing import VIEWS
from xsync_tui.gallery.executions import ASCII, CANVAS, WIDE

GOLDENS = Path(__file__).with_name("goldens")
CANVASES = {"80": CANVAS, "ascii": ASCII, "120": WIDE}


def golden(canvas: Canvas) -> str:
    """All views, one after the other."""
    texts = []
    for name, view in VIEWS.items():
        rows = "\n".join(line.rstrip() for line in plain(wizard_rows(view, canvas).rows))
        texts.append(f"=== {name}\n{rows}\n")
    return "".join(texts)


@pytest.mark.parametrize("name", CANVASES)
def test_every_step_and_state(name: str) -> None:
    wanted = (GOLDENS / f"wizard-{name}.txt").read_text()
    for was, now in zip(wanted.split("=== "), golden(CANVASES[name]).split("=== "), strict=True):
        assert now == was


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("canvas", [CANVAS, ASCII, WIDE, Canvas(80, 17), Canvas(200, 60)])
def test_rows_fit_and_obey_nobody(name: str, canvas: Canvas) -> None:
    drawn = wizard_rows(VIEWS[name], canvas)
    assert {width(row) for row in drawn.rows} == {canvas.width}
    assert len(drawn.rows) == canvas.height
    text = "".join(plain(drawn.rows))
    assert not any(mark in text for mark in "\x1b\x07\u202e\u200b\udcff")
    assert canvas.unicode or text.isascii()


def test_what_is_typed_stands_over_the_row_of_its_field() -> None:
    drawn = wizard_rows(VIEWS["2 typing"]._replace(field=2), CANVAS)
    assert drawn.entry is not None
    column, row, cells = drawn.entry
    assert plain(drawn.rows)[row].startswith(" ▶ region")
    assert plain(drawn.rows)[row][column:].startswith("as AWS_REGION")
    assert column + cells < CANVAS.width
    assert wizard_rows(VIEWS["2 canary"], CANVAS).entry is None
    assert wizard_rows(VIEWS["4 choosing"], CANVAS).entry is None


def test_a_week_shows_the_lowest_limit_and_what_goes_over_midnight() -> None:
    rules = (
        LimitRule((0,), 60, 125, 10**9),
        LimitRule((0, 6), 23 * 60, 30, 10**6),
        LimitRule((0,), 0, 24 * 60, 10**10),
    )
    rows = plain(week_rows(rules, Canvas(80, 20, unicode=False)))
    assert len(rows) == WEEK_ROWS
    assert rows[1].strip() == "Mon ##-====" + "-" * 62 + "###"
    assert rows[2].strip() == "Tue ##" + "." * 70
    assert rows[7].strip() == "Sun " + "." * 69 + "###"
    assert rows[8].strip() == ". no limit   # 8.00 Mbit/s (1.00 MB/s)   = 8.00 Gbit/s (1.00 GB/s)   - 80.0"


if __name__ == "__main__":
    for each, drawn_on in CANVASES.items():
        (GOLDENS / f"wizard-{each}.txt").write_text(golden(drawn_on))
