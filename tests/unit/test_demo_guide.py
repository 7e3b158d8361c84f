"""The demo's guide: a line that fits, and steps that go on when they were done."""

from __future__ import annotations

import pytest

from xsync_tui.demo.guide import STEPS, Reached, Step, guide_row, step_of
from xsync_tui.drawing.rows import Canvas, plain, width
from xsync_tui.text import width_of


def _line(reached: Reached, cells: int = 80) -> str:
    row = guide_row(reached, Canvas(cells, 20))
    assert width(row) == cells
    return plain([row])[0].rstrip()


@pytest.mark.parametrize("step", STEPS)
def test_nothing_of_a_step_is_cut_at_80_columns(step: Step) -> None:
    assert all(width_of(text) <= 80 - len(" demo 1/8  ") for text in (step.here, step.elsewhere))


def test_each_step_goes_on_when_it_was_done_and_what_was_left_out_is_not_asked_for_again() -> None:
    assert step_of(Reached()) == 0
    assert step_of(Reached(surveyed=True)) == 1
    assert step_of(Reached(surveyed=True, tested=True)) == 4
    assert step_of(Reached(started=True)) == 5
    assert step_of(Reached(started=True, ended=True)) == 6
    assert step_of(Reached(ended=True, told=True)) == len(STEPS) - 1


def test_it_says_what_to_press_here_and_how_to_get_there_from_elsewhere() -> None:
    assert _line(Reached("home")) == " demo 1/8  2: what is there?"
    assert _line(Reached("survey")) == " demo 1/8  R, then enter: what is there? No file is opened."
    assert "Then 3: the plan." in _line(Reached("survey", surveyed=True))
    assert "+ for one more agent" in _line(Reached("plan", surveyed=True))
    assert _line(Reached("plan", surveyed=True), 120).endswith("h hides this")
    assert "q leaves" in _line(Reached("home", ended=True, told=True))
