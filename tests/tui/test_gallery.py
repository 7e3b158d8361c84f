"""The gallery: every drawing fits any canvas and is safe; the app goes through all of them; the command prints them."""

from __future__ import annotations

import asyncio
import unicodedata
from datetime import UTC

import pytest
from click.testing import CliRunner

from xsync_tui.drawing.rows import Canvas, plain, width
from xsync_tui.gallery.__main__ import main
from xsync_tui.gallery.exhibits import EXHIBITS, GROUPS, Exhibit
from xsync_tui.gallery.viewer import SIZES, Gallery
from xsync_tui.widgets.lines import Lines

CANVASES = [Canvas(cells, height, unicode, zone=UTC) for cells, height in SIZES for unicode in (True, False)]


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=[each.name for each in EXHIBITS])
def test_every_drawing_fits_and_is_safe(exhibit: Exhibit) -> None:
    for canvas in CANVASES:
        rows = exhibit.draw(canvas)
        assert max(map(width, rows), default=0) <= canvas.width
        assert len(rows) <= canvas.height
        text = "".join(plain(rows))
        assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs")]
        assert canvas.unicode or text.isascii()


def test_names_are_unique_and_every_drawing_has_states() -> None:
    assert len({each.name for each in EXHIBITS}) == len(EXHIBITS)
    assert all(len(states) >= 3 for states in GROUPS.values())


def test_the_app_goes_through_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")

    async def story() -> None:
        app = Gallery()
        async with app.run_test(size=(80, 24)) as pilot:

            def shown() -> str:
                return "\n".join(plain(app.query_one("#drawing", Lines).rows))

            await pilot.pause()
            seen = []
            for _ in GROUPS:
                seen.append(app.shown.name.partition("/")[0])
                assert shown() == "\n".join(plain(app.shown.draw(CANVASES[0])))
                await pilot.press("tab")
            assert seen == list(GROUPS)
            await pilot.press("right")
            assert app.shown == EXHIBITS[1]
            await pilot.press("left", "left")
            assert app.shown == EXHIBITS[-1]
            await pilot.press("tab", "a")
            assert app.shown == EXHIBITS[0]
            assert shown().isascii()
            await pilot.press("s")
            assert max(map(len, shown().splitlines())) > 80
            themes = set()
            for _ in range(5):
                await pilot.press("t")
                themes.add(app.theme)
            assert len(themes) == 5
            await pilot.press("q")

    asyncio.run(story())


def test_the_command_lists_and_prints() -> None:
    runner = CliRunner()
    listed = runner.invoke(main, ["--list"]).output.splitlines()
    assert listed == [each.name for each in EXHIBITS]
    printed = runner.invoke(main, ["--text", "ledger", "--ascii"]).output
    assert "-- ledger/does not add up\n discovered != transferred" in printed
    assert runner.invoke(main, ["--text", "ledger/usual"]).output.startswith(" discovered = ")
    wrong = runner.invoke(main, ["--text", "nothing"])
    assert (wrong.exit_code, "--list names all" in wrong.output) == (2, True)
