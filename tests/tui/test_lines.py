"""Rows are painted where they differ, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tui.driving import Driver, drive
from xsync_tui.drawing.rows import Piece, Role, Row, row
from xsync_tui.widgets.lines import Lines, changed_runs


@pytest.mark.parametrize(
    ("before", "after", "runs"),
    [
        (row("same"), row("same"), []),
        (row("03:12:07"), row("03:12:08"), [(7, 1)]),
        (row("a", Piece("b", Role.LOOK)), row("ab"), [(1, 1)]),
        (row("a....b"), row("b....a"), [(0, 6)]),
        (row("a.......b"), row("b.......a"), [(0, 1), (8, 1)]),
        (row("long"), row("lo"), [(2, 2)]),
        (row("lo  "), row("lo"), []),
        ((), row("new"), [(0, 3)]),
        (row("日本x"), row("日本y"), [(4, 1)]),
        (row("日"), row("本"), [(0, 2)]),
        (row("e\u0301x"), row("ex"), [(0, 1)]),
    ],
)
def test_runs_that_changed_are_found_and_near_ones_joined(before: Row, after: Row, runs: list[tuple[int, int]]) -> None:
    assert changed_runs(before, after) == runs


def test_only_changed_runs_are_repainted() -> None:
    async def play(driver: Driver) -> None:
        await driver.sees("Where is the data?")
        lines = driver.app.screen.query_one("#foot", Lines)
        asked: list[tuple[int, int, int, int]] = []
        refresh = lines.refresh

        def noted(*regions: Any, **more: Any) -> Lines:
            asked.extend(regions)
            return refresh(*regions, **more)

        lines.refresh = noted  # type: ignore[method-assign]  # to see what is asked for
        lines.show([row("one two three")])
        asked.clear()
        lines.show([row("one twO three")])
        assert [tuple(region) for region in asked] == [(6, 0, 1, 1)]
        asked.clear()
        lines.show([row("one twO three")])
        assert asked == []

    drive(play)


def test_the_row_of_the_cursor_is_reversed_and_moves() -> None:
    async def play(driver: Driver) -> None:
        await driver.sees("Where is the data?")
        lines = driver.app.screen.query_one("#body", Lines)
        lines.show([row("one"), row("two")], cursor=1)
        looks = [[segment.style and segment.style.reverse for segment in lines.render_line(y)] for y in (0, 1)]
        assert not any(looks[0])
        assert all(looks[1])

    drive(play)
