"""Every meaning can be read in every theme: contrast with the background (WCAG 2.1, relative luminance)."""

from __future__ import annotations

import pytest
from textual.color import Color

from tests.tui.driving import Driver, drive
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.rows import Role
from xsync_tui.widgets.lines import Lines

LEAST = 4.3
"""4.5 is what WCAG asks of text; the series of the light theme are bars, for which it asks 3."""


def luminance(color: Color) -> float:
    """0 for black to 1 for white."""
    parts = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color.rgb]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: Color, other: Color) -> float:
    """1 for the same to 21 for black on white."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture
def truecolor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("truecolor")
@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_each_role_stands_out_from_the_background(theme: str) -> None:
    app = XsyncApp(theme=theme)

    async def play(driver: Driver) -> None:
        await driver.pilot.pause()
        lines = app.screen.query(Lines).first()
        ground = app.screen.background_colors[1]
        for role in Role:
            color = lines.get_component_rich_style(f"role-{role}").color
            assert color is not None
            assert contrast(Color.from_rich_color(color), ground) >= LEAST, role

    drive(play, app)


@pytest.mark.parametrize(("theme", "good", "files"), [("ansi-dark", 2, 12), ("ansi-light", None, 4)])
def test_of_16_colours_none_is_used_that_many_terminals_show_all_but_as_the_background(
    theme: str, good: int | None, files: int
) -> None:
    app = XsyncApp(theme=theme)

    async def play(driver: Driver) -> None:
        await driver.pilot.pause()
        lines = app.screen.query(Lines).first()
        found = [lines.get_component_rich_style(f"role-{role}").color for role in (Role.GOOD, Role.FILES)]
        assert [None if color is None or color.is_default else color.number for color in found] == [good, files]

    drive(play, app)
