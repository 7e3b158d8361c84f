"""Makes the pictures and the cast of the docs out of the story; the same each time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.color import ColorSystem
from textual.strip import Strip

from xsync_tui.gallery.stage import Play, Stage, perform, surroundings
from xsync_tui.gallery.story import Story

Before = Callable[[Story], object]


class Scene(NamedTuple):
    """A picture: how to get there. ``size``: of the terminal; ``before``: what happens in the story before that."""

    name: str
    play: Play
    size: tuple[int, int] = (80, 23)
    before: Before | None = None
    theme: str = "dark"
    unicode: bool = True
    no_color: bool = False


async def _survey(stage: Stage) -> None:
    await stage.press("2", until="decide")
    await stage.press("v", until="Map of")


async def _plan(stage: Stage) -> None:
    await stage.press("3", until="what limits")


async def _test(stage: Stage) -> None:
    await stage.press("4", until="LINEAR")


async def _run(stage: Stage) -> None:
    await stage.press("5", until="discovered")
    for _ in range(20):
        await stage.advance(5)


DOCS = (
    Scene("survey", _survey, (100, 30)),
    Scene("plan", _plan, (100, 26)),
    Scene("test-run", _test, (100, 28)),
    Scene("run", _run, (100, 28), Story.begin),
)
"""What README shows."""


def pictures(folder: Path) -> Iterator[Path]:
    """Write the pictures of the docs into ``folder``; yields each file. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for scene in DOCS:
        path = folder / f"{scene.name}.svg"
        path.write_text(picture(scene), encoding="utf-8")
        yield path


def picture(scene: Scene) -> str:
    """A scene as SVG."""
    found = ""

    async def play(stage: Stage) -> None:
        nonlocal found
        await scene.play(stage)
        found = stage.picture()

    with surroundings(no_color=scene.no_color):
        perform(
            play,
            scene.size,
            before=scene.before,
            theme=scene.theme,
            unicode=scene.unicode,
            no_color=scene.no_color,
        )
    return found


class Cast:
    """Frames of the app as an asciinema cast (version 2): each event holds the rows that differ from before."""

    def __init__(self, width: int, height: int, title: str) -> None:
        head = {"version": 2, "width": width, "height": height, "title": title}
        self._lines = [json.dumps({**head, "env": {"TERM": "xterm-256color"}})]
        self._shown: list[str] = [""] * height
        self._at = 0.0
        self._say("\x1b[?25l\x1b[2J")

    def frame(self, rows: Sequence[str], seconds: float) -> None:
        """Show ``rows``, and leave them for so long."""
        changed = [(y, row) for y, row in enumerate(rows) if row != self._shown[y]]
        self._shown[: len(rows)] = rows
        if changed:
            self._say("".join(f"\x1b[{y + 1};1H{row}\x1b[0m" for y, row in changed))
        self._at += seconds

    def lines(self, texts: Sequence[str], seconds: float) -> None:
        """What a shell shows after the app was left."""
        self._say("\x1b[2J\x1b[H\x1b[?25h" + "\r\n".join(texts))
        self._shown = [""] * len(self._shown)
        self._at += seconds

    def mark(self, label: str) -> None:
        """A chapter."""
        self._lines.append(json.dumps([round(self._at, 2), "m", label]))

    def text(self) -> str:
        """The file."""
        self._say("")
        return "\n".join(self._lines) + "\n"

    def _say(self, data: str) -> None:
        self._lines.append(json.dumps([round(self._at, 2), "o", data], ensure_ascii=False))


def cast(path: Path) -> None:
    """Write the story, from Home to a lost agent, as a cast. Raises OSError."""
    found = Cast(80, 24, "xsync: four years, 48.1 TB, 20 Gbps")
    with surroundings():
        perform(partial(_evening, found), (80, 23))
    with surroundings():
        perform(partial(_night, found), (80, 23), before=Story.begin)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(found.text(), encoding="utf-8")


async def _evening(found: Cast, stage: Stage) -> None:
    found.mark("Home: what needs a person first")
    await stage.press("1", until="lab-images")
    found.frame(_rows(stage), 4)
    found.mark("Survey: what is there, and what takes the time")
    await stage.press("2", until="decide")
    found.frame(_rows(stage), 5)
    await stage.press("v", until="Modified")
    found.frame(_rows(stage), 2.5)
    found.mark("Plan: every change is worked out at once")
    await stage.press("3", until="what limits")
    found.frame(_rows(stage), 5)
    for agents in (5, 6):
        await stage.press("plus", until=f"what limits {agents} agents")
        found.frame(_rows(stage), 3.5)
    await stage.press("backspace", until="what limits 4 agents")
    found.frame(_rows(stage), 2)
    await stage.press("i", until="rests on")
    found.frame(_rows(stage), 3.5)
    found.mark("Test run: what binds, measured")
    await stage.press("4", until="LINEAR")
    found.frame(_rows(stage), 5)


async def _night(found: Cast, stage: Stage) -> None:
    found.mark("Run: attached from any terminal")
    await stage.press("5", until="discovered")
    for _ in range(10):
        await stage.advance(5)
        found.frame(_rows(stage), 0.5)
    found.mark("An agent is lost: the sum still adds up")
    stage.story.lose(3)
    for _ in range(12):
        await stage.advance(5)
        found.frame(_rows(stage), 0.5)
    await stage.press("P", until="Nothing is lost")
    found.frame(_rows(stage), 3.5)
    await stage.press("escape", until="discovered")
    found.frame(_rows(stage), 1.5)
    from xsync_tui.app import goodbye

    texts = goodbye(stage.app.bridge.live(), stage.story.now)
    found.mark("Closing it touches nothing")
    found.lines(["$ xsync", *texts, "$ "], 4)


def _rows(stage: Stage) -> list[str]:
    """The screen row by row, with the colours that a modern terminal shows."""
    width, height = stage.app.size
    strips = stage.app.screen._compositor.render_strips(stage.app.size)
    return [_ansi(strip.adjust_cell_length(width)) for strip in strips[:height]]


def _ansi(strip: Strip) -> str:
    system = ColorSystem.TRUECOLOR
    return "".join(style.render(text, color_system=system) if style else text for text, style, _ in strip.simplify())
