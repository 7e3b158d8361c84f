"""Names that try to take over the terminal, through every screen: no control character reaches what is painted."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from textual import events
from textual.pilot import Pilot

from engine.execution.cutover.record import STEPS, Cutover, Done
from engine.execution.launch import RUNNER_LOG
from engine.home import prepare_home
from engine.journal.commands import ask
from engine.journal.records import Execution, Runner
from engine.journal.writer import Journal
from engine.model import AgentSnapshot, Event, Failure, LocationSpec, Migration, Status, TaskSnapshot
from engine.survey.facts import Extension, Hazard, WidestDirectory
from engine.survey.report import REPORT_NAME
from tests.unit.cli_journals import DONE, TOTALS, alive
from xsync_tui.app import XsyncApp, goodbye
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.frame import Act
from xsync_tui.drawing.rows import Role, plain
from xsync_tui.gallery import planning, proving
from xsync_tui.gallery.stage import StoryApp
from xsync_tui.screens.base import BaseScreen
from xsync_tui.screens.strip import Strip
from xsync_tui.widgets.entry import Entry
from xsync_tui.widgets.lines import Lines

EVIL = "a\x1b]0;owned\x07\x1b[2J\x9b2J\x85\u2028\u202e\u2066\u200b\ufeff[/foo][b]\x7f\r\n\t"
"""Sets the title, clears the screen, in C0 and in C1; breaks lines; turns directions; is invisible; is bad markup."""

EVIL_PATH = f"{EVIL}\udcff"
"""With a byte that is no UTF-8, where a text is not kept as JSON or in a database."""

SOURCE, DESTINATION = f"file:///mnt/{EVIL}", f"s3://lab/{EVIL}"

PROFILE = """\
schema = 1
name = "{name}"
[source]
url = {source}
[destination]
url = {destination}
[network]
bandwidth = "20Gbps"
"""


def _toml(text: str) -> str:
    """A basic string of TOML: everything odd as an escape."""
    return (
        '"'
        + "".join(char if " " <= char <= "~" and char not in '"\\' else f"\\u{ord(char):04x}" for char in text)
        + '"'
    )


def _execution(name: str, profile: str | None, status: Status) -> Path:
    home = prepare_home()
    folder = home.executions / name
    migration = Migration(LocationSpec(SOURCE), LocationSpec(DESTINATION), name=profile)
    made = Execution(name, migration, "", "", 1_747_190_000.0)
    at = 1_747_190_100.0
    with Journal.create(folder, made, Runner(1, EVIL, "", EVIL)) as journal:
        journal.heartbeat(at, (60.0, 120.0))
        journal.put_tasks([TaskSnapshot(EVIL, (EVIL,), (), EVIL), TaskSnapshot("rest", (), (EVIL,), EVIL)])
        agents = [
            AgentSnapshot(f"{EVIL}{state}", state, task=EVIL, path=EVIL) for state in ("working", "stalled", "lost")
        ]
        journal.put_agents(agents, at)
        journal.set_totals(DONE if status.ended else TOTALS, {})
        journal.add_failures([Failure(EVIL, EVIL, EVIL), Failure(f"{EVIL}2", "unreadable", EVIL)])
        journal.add_event(Event(at, EVIL, EVIL))
        journal.add_event(Event(at, "pause", f"{EVIL} asked to pause"))
        journal.set_status(status, EVIL, at)
    (folder / RUNNER_LOG).write_bytes(f"{EVIL}\nsecond {EVIL}".encode() + b"\xff\x9b2J\n")
    shown = proving.report(
        message=EVIL,
        host=EVIL,
        failure_counts={EVIL: 2},
        failures=[{"path": EVIL, "reason": EVIL, "detail": EVIL}],
        tasks=[{"name": EVIL, "files": {"transferred": 3}, "bytes": {"transferred": 9}}],
        agents=[{"agent": EVIL, "files": 3, "bytes": 9}],
        top_folders=[{"folder": EVIL, "files": 3, "bytes": 9}],
    )
    (folder / "report.json").write_bytes(msgspec.json.encode(shown))
    return folder


@pytest.fixture
def running(home: Path) -> Iterator[Path]:
    """A home in which everything that may have a name from outside has a hostile one; the folder of what runs."""
    found = prepare_home()
    found.profiles.mkdir(parents=True, exist_ok=True)
    for name in ("lab", "done"):
        text = PROFILE.format(name=name, source=_toml(SOURCE), destination=_toml(DESTINATION))
        (found.profiles / f"{name}.toml").write_text(text)
    (found.profiles / "broken.toml").write_text(f"schema = 1\n{_toml(EVIL)} = 1\n")
    (found.profiles / "worse.toml").write_bytes(b"\x1b[2J\xff\x9b")
    base = planning.report(hazards=(Hazard(EVIL, 3, (EVIL, EVIL), EVIL), Hazard("unreadable", 1, (EVIL,), EVIL)))
    folders = tuple(
        msgspec.structs.replace(each, path=f"{EVIL.replace('/', '')}{n}") for n, each in enumerate(base.layout.folders)
    )
    widest = WidestDirectory(EVIL, 400_000)
    layout = msgspec.structs.replace(base.layout, folders=folders, widest_directory=widest, deepest=EVIL)
    survey = msgspec.structs.replace(base, location=SOURCE, layout=layout, extensions=(Extension(EVIL, 3, 9),))
    folder = found.surveys / "lab"
    folder.mkdir(parents=True)
    (folder / REPORT_NAME).write_bytes(msgspec.json.encode(survey))
    test = msgspec.structs.replace(
        proving.measured_run({1: 551e6, 2: 1_098e6}, folder=EVIL), profile=EVIL, source=SOURCE, destination=DESTINATION
    )
    found.test_runs.mkdir(parents=True)
    (found.test_runs / "1.json").write_bytes(msgspec.json.encode(test))
    steps = {step: Done(1_747_190_000.0, EVIL, EVIL) for step in list(STEPS)[:3]}
    cutover = Cutover("lab", Migration(LocationSpec(SOURCE), LocationSpec(DESTINATION), name="lab"), 1.0, EVIL, steps)
    found.cutovers.mkdir(parents=True)
    (found.cutovers / "lab.json").write_bytes(msgspec.json.encode(cutover))
    _execution("20250513-214800-done-3f2a", "done", Status.ERROR)
    _execution(f"20250513-214801-{EVIL}".replace("/", "_"), None, Status.PAUSED)
    damaged = found.executions / f"20250513-214802-{EVIL_PATH}".replace("/", "_")
    damaged.mkdir()
    (damaged / "journal.sqlite").write_bytes(b"no database")
    folder = _execution("20250513-214803-lab-3f2a", "lab", Status.TRANSFERRING)
    ask(folder, "pause", {}, EVIL)
    with alive(folder):
        yield folder


def bad(text: str) -> list[str]:
    """What a terminal would obey, or not show."""
    return [hex(ord(char)) for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


class Watched(XsyncApp):
    """Keeps what it would write to the terminal beside its cells."""

    CSS_PATH = StoryApp.CSS_PATH

    def __init__(self, subject: Subject | None = None, *, unicode: bool = True) -> None:
        super().__init__(subject, unicode=unicode, theme="dark")
        self.titles: list[str] = []

    def _write(self, sequence: str) -> None:
        self.titles.append(sequence)


class Look:
    """Goes through an app and checks each frame."""

    def __init__(self, app: Watched, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot
        self.seen = ""

    async def settled(self) -> None:
        for _ in range(400):
            await self.pilot.pause()
            screen = self.base
            if (screen.value is not None or screen.trouble) and not screen._busy:
                break
            await asyncio.sleep(0.01)
        await self.pilot.pause()

    @property
    def base(self) -> BaseScreen[object]:
        return next(each for each in reversed(self.app.screen_stack) if isinstance(each, BaseScreen))

    async def check(self, what: str) -> str:
        """Each row that would be painted, and each row that is drawn."""
        await self.settled()
        strips = self.app.screen._compositor.render_strips(self.app.size)
        rows = ["".join(segment.text for segment in strip) for strip in strips]
        for row in rows:
            assert not bad(row), f"{what}: {row!r}"
        drawn = "\n".join("\n".join(plain(part.rows)) for part in self.app.screen.query(Lines))
        assert not bad(drawn.replace("\n", "")), f"{what}: {drawn!r}"
        assert {strip.cell_length for strip in strips} == {self.app.size.width}, what
        text = "\n".join(rows)
        self.seen += text
        return text

    async def press(self, *keys: str) -> None:
        """Press keys, checking the frame after each."""
        for key in keys:
            await self.pilot.press(key)
            await self.check(f"{type(self.app.screen).__name__} after {key}")


SCREENS = {
    "1": ("down", "up", "question_mark", "x", "colon", "escape", "f", "escape"),
    "2": ("v", "v", "v", "v", "v", "z", "s", "enter", "escape", "question_mark", "x"),
    "3": ("i", "down", "i", "question_mark", "x"),
    "4": ("question_mark", "x"),
    "5": ("t", "z", "z", "z", "z", "t", "f", "enter", "escape", "escape", "o", "down", "escape"),
    "6": ("v", "down", "down", "down", "v"),
    "7": ("v", "v", "v", "left_square_bracket", "right_square_bracket"),
}
ACTS = {"1": "RFD", "2": "R", "5": "RFPLAC", "6": "R"}


@pytest.mark.parametrize(
    ("size", "unicode", "whole"), [((80, 23), True, True), ((120, 40), False, False), ((60, 15), True, False)]
)
def test_nothing_hostile_reaches_the_terminal(running: Path, size: tuple[int, int], unicode: bool, whole: bool) -> None:
    subjects = [Subject("lab"), Subject("done"), Subject("broken"), Subject(location=EVIL_PATH)]
    subjects += [Subject(execution=path.name) for path in running.parent.iterdir()]

    async def story() -> None:
        app = Watched(Subject("lab"), unicode=unicode)
        async with app.run_test(size=size) as pilot:
            look = Look(app, pilot)
            await look.check("start")
            for number, subject in enumerate(subjects if unicode else subjects[:1]):
                for place, keys in SCREENS.items():
                    app.subject = subject
                    await look.press(place)
                    if number == 0 and whole:
                        await look.press(*keys)
                        for act in ACTS.get(place, ""):
                            await look.press(act, "x", "escape", "escape")
            for text in (EVIL, EVIL_PATH):
                look.base.notice(text, Role.ALARM)
                await look.check("notice")
                app._say(text)
                await look.check("say")
                app.push_screen(Strip(Act("P", text, text, text, text, typed=text)))
                await look.check("strip")
                await look.press("x", "enter", "escape")
            assert "\\x1b" in look.seen
        app.bridge.close()
        assert app.titles
        for title in app.titles:
            inside = title.removeprefix("\x1b]2;").removesuffix("\x07")
            assert title in ("\x1b[22;2t", "\x1b[23;2t") or not bad(inside)
        assert not bad("".join(goodbye(Bridge().live(), 1_747_190_100.0)))

    asyncio.run(story())


@pytest.mark.parametrize(
    ("place", "key", "entry"), [("1", "slash", "filter"), ("1", "colon", "wanted"), ("3", "", "value")]
)
def test_what_is_pasted_is_safe_too(running: Path, place: str, key: str, entry: str) -> None:
    async def story() -> None:
        app = Watched(Subject("lab"))
        async with app.run_test(size=(80, 23)) as pilot:
            look = Look(app, pilot)
            await look.press(place, *([key] if key else []))
            field = app.screen.query_one(f"#{entry}", Entry)
            if not key:
                field.display = True
                field.focus()
            await pilot.pause()
            field.post_message(events.Paste(EVIL_PATH))
            await look.check(f"{entry} after a paste")
            assert field.value
            await look.press("enter")
        app.bridge.close()

    asyncio.run(story())
