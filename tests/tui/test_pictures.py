"""Pictures of whole screens, as Textual exports them: those in ``snapshots`` and those of the docs.

``pytest tests/tui/test_pictures.py --renew-pictures`` writes them anew. A picture that differs is written beside the
expected one, to ``tests/tui/snapshots/differs/``; what differs in its text is in the failure.
"""

from __future__ import annotations

import difflib
import html
import json
import re
from pathlib import Path

import pytest

from xsync_tui.gallery.making import DOCS, Scene, picture
from xsync_tui.gallery.stage import Stage
from xsync_tui.gallery.story import Story

ROOT = Path(__file__).parents[2]
SNAPSHOTS, PICTURES = Path(__file__).parent / "snapshots", ROOT / "docs" / "pictures"
DIFFERS = SNAPSHOTS / "differs"

_TEXT = re.compile(
    r'<text class="terminal-r(\d+)" x="([\d.]+)" [^>]*clip-path="url\(#terminal-line-(\d+)\)">(.*?)</text>'
)
_CELL = 12.2
"""Width of a cell in rich's SVG."""


async def _home(stage: Stage) -> None:
    await stage.press("1", until="finance")


async def _survey(stage: Stage) -> None:
    await stage.press("2", until="decide")


async def _plan(stage: Stage) -> None:
    await stage.press("3", until="what limits")


async def _why(stage: Stage) -> None:
    await _plan(stage)
    await stage.press("i", until="rests on")


async def _verdict(stage: Stage) -> None:
    await stage.press("4", until="LINEAR")


async def _run(stage: Stage) -> None:
    await stage.press("5", until="discovered")
    for _ in range(6):
        await stage.advance()


async def _lost(stage: Stage) -> None:
    await _run(stage)
    stage.story.lose(3)
    for _ in range(6):
        await stage.advance()


async def _gone(stage: Stage) -> None:
    await _run(stage)
    stage.story.abandon()
    stage.base.reread()
    await stage.sees("RUNNER GONE")


async def _strip(stage: Stage) -> None:
    await _run(stage)
    await stage.press("P", until="Nothing is lost")


async def _failures(stage: Stage) -> None:
    await _run(stage)
    await stage.press("f", until="changed while read")


async def _cutover(stage: Stage) -> None:
    await stage.press("6", until="READY")


async def _checklist(stage: Stage) -> None:
    await _cutover(stage)
    await stage.press("v", until="point of no return")


async def _help(stage: Stage) -> None:
    await _plan(stage)
    await stage.press("question_mark", until="screens of the journey")


async def _palette(stage: Stage) -> None:
    await _run(stage)
    await stage.press("colon", until="go to Report")


SCENES = (
    Scene("home", _home),
    Scene("home-wide", _home, (120, 40), Story.begin),
    Scene("survey", _survey),
    Scene("plan", _plan),
    Scene("plan-why", _why),
    Scene("plan-light", _plan, theme="light"),
    Scene("verdict", _verdict),
    Scene("run", _run, (80, 23), Story.begin),
    Scene("run-wide", _run, (120, 40), Story.begin),
    Scene("run-lost", _lost, (80, 23), Story.begin),
    Scene("run-gone", _gone, (80, 23), Story.begin),
    Scene("run-strip", _strip, (80, 23), Story.begin),
    Scene("run-contrast", _lost, (80, 23), Story.begin, theme="contrast"),
    Scene("run-ansi", _lost, (80, 23), Story.begin, theme="ansi-dark"),
    Scene("run-no-color", _lost, (80, 23), Story.begin, no_color=True),
    Scene("failures", _failures, (80, 23), Story.begin),
    Scene("checklist", _checklist),
    Scene("help", _help),
    Scene("palette", _palette, (80, 23), Story.begin),
)

_WANTED = [(scene, SNAPSHOTS / f"{scene.name}.svg") for scene in SCENES]
_WANTED += [(scene, PICTURES / f"{scene.name}.svg") for scene in DOCS]


@pytest.mark.parametrize(("scene", "path"), _WANTED, ids=[f"{path.parent.name}-{path.stem}" for _, path in _WANTED])
def test_a_picture_is_as_it_was(scene: Scene, path: Path, request: pytest.FixtureRequest) -> None:
    found = picture(scene)
    if request.config.getoption("--renew-pictures"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if _plain(found) != _plain(expected):
        DIFFERS.mkdir(exist_ok=True)
        new = DIFFERS / path.name
        new.write_text(found, encoding="utf-8")
        pytest.fail(
            f"{path.relative_to(ROOT)} is another picture now; the new one is {new.relative_to(ROOT)}.\n"
            f"If it is right: pytest tests/tui/test_pictures.py --renew-pictures\n{difference(expected, found)}",
            pytrace=False,
        )


def difference(expected: str, found: str) -> str:
    """What differs between two pictures: their text, else their colours."""
    views = (_rows, _roles, lambda svg: _plain(svg).splitlines())
    for before, after in ((view(expected), view(found)) for view in views):
        if before != after:
            return "\n".join(difflib.unified_diff(before, after, "expected", "found", lineterm="", n=1))
    return "nothing"


def _plain(svg: str) -> str:
    """Without the number that rich gives each picture."""
    return re.sub(r"terminal-\d+-", "terminal-", svg)


def _cells(svg: str) -> list[tuple[int, float, str, str]]:
    """Row, place, style and text of each run."""
    styles = dict(re.findall(r"\.terminal-r(\d+) \{ (.*?) \}", _plain(svg)))
    runs = _TEXT.findall(_plain(svg))
    return [
        (int(y), float(x), styles.get(role, ""), html.unescape(text).replace("\xa0", " ")) for role, x, y, text in runs
    ]


def _rows(svg: str) -> list[str]:
    """The screen's text, row by row."""
    rows: dict[int, str] = {}
    for y, x, _, text in _cells(svg):
        rows[y] = rows.get(y, "").ljust(round(x / _CELL)) + text.rstrip("\n")
    return [rows.get(y, "").rstrip() for y in range(max(rows, default=-1) + 1)]


def _roles(svg: str) -> list[str]:
    """Which text has which colours."""
    return [f"{y:2} {text.strip()!r}: {style}" for y, _, style, text in _cells(svg)]


def test_a_difference_is_told_in_the_words_of_the_screen() -> None:
    one = next(scene for scene in SCENES if scene.name == "home")
    svg = picture(one)
    changed = svg.replace("12&#160;failed&#160;files", "13&#160;failed&#160;files")
    told = difference(svg, changed)
    assert "- 1 needs you: finance ended with 12 failed files." in told
    assert "+ 1 needs you: finance ended with 13 failed files." in told
    assert "fill: #ff0000" in difference(svg, svg.replace("fill: #d17e92", "fill: #ff0000"))
    assert difference(svg, svg) == "nothing"


def test_pictures_of_one_story_are_the_same_each_time() -> None:
    run = next(scene for scene in SCENES if scene.name == "run-lost")
    assert picture(run) == picture(run)


def test_the_cast_is_small_and_can_be_played() -> None:
    text = (ROOT / "docs" / "story.cast").read_text(encoding="utf-8")
    head, *events = [json.loads(line) for line in text.splitlines()]
    assert len(text.encode()) < 300_000
    assert (head["version"], head["width"], head["height"]) == (2, 80, 24)
    times = [at for at, _, _ in events]
    assert times == sorted(times)
    assert {kind for _, kind, _ in events} == {"o", "m"}
    assert "1 LOST" in text
