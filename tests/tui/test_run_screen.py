"""The Run screen, failures and log as a person uses them, on journals that a runner wrote and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.errors import UsageError
from engine.execution.launch import RUNNER_LOG
from engine.journal.reader import read_snapshot
from engine.model import Failure, Status
from tests.unit.cli_journals import CLEAN, DONE, FAILURES, alive, answering, make_execution
from xsync_tui.app import XsyncApp
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.rows import plain
from xsync_tui.screens.run import agents_of, limit_of
from xsync_tui.screens.strip import Strip
from xsync_tui.widgets.lines import Lines

Use = Callable[["User"], Awaitable[None]]


class User:
    """Presses keys and reads the screen."""

    def __init__(self, app: XsyncApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    def text(self) -> str:
        """All that is on the screen on top."""
        return "\n".join("\n".join(plain(lines.rows)) for lines in self.app.screen.query(Lines))

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)

    async def sees(self, words: str) -> None:
        """Wait until the words are on the screen."""
        for _ in range(400):
            if words in self.text():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"{words!r} is not on the screen:\n{self.text()}")

    async def strip(self) -> None:
        """Wait for a strip."""
        for _ in range(400):
            if isinstance(self.app.screen, Strip):
                return
            await self.pilot.pause(0.02)
        raise AssertionError(self.text())


def use(folder: Path, what: Use, size: tuple[int, int] = (80, 23)) -> None:
    """Open the app about the execution, go to Run, and use it."""

    async def session() -> None:
        app = XsyncApp(Subject(execution=folder.name))
        async with app.run_test(size=size) as pilot:
            user = User(app, pilot)
            await user.sees("help")
            await user.press("5")
            await user.sees("discovered")
            await what(user)
        app.bridge.close()

    asyncio.run(session())


def test_nothing_is_asked_before_its_strip_is_confirmed_and_the_answer_is_shown() -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "done") as asked:

        async def what(user: User) -> None:
            await user.press("P")
            await user.strip()
            assert "Nothing is lost" in user.text()
            await user.press("escape")
            await user.sees("discovered")
            assert asked == []
            await user.press("P")
            await user.strip()
            await user.press("enter")
            await user.sees("acknowledged")

        use(folder, what)
    assert asked == [("pause", {})]


def test_a_limit_is_typed_and_its_effect_is_said_before_enter() -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "done: limit 1.25 MB/s until the run ends") as asked:

        async def what(user: User) -> None:
            await user.press("L")
            await user.strip()
            await user.press(*"10Mbp", "enter")
            await user.sees("is not a rate")
            assert asked == []
            await user.press("s")
            await user.sees("send at most 1.25 MB/s (10.0 Mbit/s)")
            await user.press("enter")
            await user.sees("done: limit 1.25 MB/s until the")

        use(folder, what)
    assert asked == [("limit", {"bytes_per_second": 1_250_000.0})]


def test_agents_are_added_and_drained() -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "done") as asked:

        async def what(user: User) -> None:
            for typed, said in (("+2", "2 more agents"), ("-2", "agent-2 finishes")):
                await user.press("A")
                await user.strip()
                await user.press(*typed)
                await user.sees(said)
                await user.press("enter")
                await user.sees("acknowledged")
                await user.press("escape")

        use(folder, what)
    assert asked == [("add_agent", {}), ("add_agent", {}), ("drain_agent", {"agent": "agent-2"})]


def test_cancelling_needs_the_name_typed() -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "done") as asked:

        async def what(user: User) -> None:
            await user.press("C")
            await user.strip()
            await user.press(*"wrong", "enter")
            await user.sees("Nothing has changed")
            assert asked == []
            await user.press(*["backspace"] * 5, *folder.name, "enter")
            await user.sees("acknowledged")

        use(folder, what)
    assert asked == [("cancel", {})]


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.TRANSFERRING])
def test_what_has_no_runner_any_more_is_ended_from_run_and_from_home(status: Status) -> None:
    run, home = make_execution("one", status, silent=60), make_execution("two", status, silent=60)

    async def from_run(user: User) -> None:
        await user.press("C")
        await user.strip()
        await user.sees("it cannot be resumed")
        await user.press(*run.name, "enter")
        await user.sees("is cancelled, 248 files left. What it copied counts.")
        await user.sees("Cancelled with 248 files left.")
        await user.press("C")
        await user.sees("it has ended")

    async def from_home(user: User) -> None:
        await user.press("1")
        await user.sees("profile")
        await user.press("C")
        await user.strip()
        await user.press(*home.name, "enter")
        await user.sees("is cancelled, 248 files left. What it copied counts.")
        await user.sees("CANCELLED")
        await user.press("C")
        await user.sees("nothing was interrupted")

    use(run, from_run)
    use(home, from_home)
    assert {read_snapshot(folder).status for folder in (run, home)} == {Status.CANCELLED}


def test_what_was_asked_and_not_answered_is_shown_to_every_watcher() -> None:
    from engine.journal.commands import ask

    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):
        ask(folder, "pause", {}, "kim@agent-01")

        async def what(user: User) -> None:
            await user.sees("PAUSING asked")
            await user.sees("pause asked by kim@agent-01: not acknowledged yet")

        use(folder, what)


def test_a_runner_that_is_gone_and_what_r_would_do() -> None:
    folder = make_execution("lab", Status.TRANSFERRING, silent=300.0)

    async def what(user: User) -> None:
        await user.sees("RUNNER GONE since")
        await user.sees("R goes on with them.")
        await user.press("P")
        await user.sees("pause: not now, the runner is gone.")
        await user.press("R")
        await user.strip()
        assert "Finished files are not sent again" in user.text()
        await user.press("backspace")
        await user.sees("RUNNER GONE")

    use(folder, what)


def test_the_panes_the_zoom_and_the_time_shown() -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with alive(folder):

        async def what(user: User) -> None:
            await user.sees("2 agents:")
            await user.press("t")
            await user.sees("bytes left")
            await user.press("t", "z", "z", "z")
            await user.sees("What happened, newest first")
            await user.press("z", "right_square_bracket")
            await user.sees("The graph shows: 6 h.")

        use(folder, what, (120, 40))


def test_a_letter_after_the_apostrophe_jumps_to_a_pane_and_another_nowhere() -> None:
    folder = make_execution("lab", Status.TRANSFERRING)
    with answering(folder, "done") as asked:

        async def what(user: User) -> None:
            await user.press("apostrophe")
            await user.sees("jump to")
            await user.press("e")
            await user.sees("What happened, newest first")
            await user.press("apostrophe")
            await user.sees("jump to")
            await user.press("t")
            await user.sees("bytes left")
            await user.press("apostrophe")
            await user.sees("jump to")
            await user.press("P")
            await user.sees("bytes left")
            await user.press("apostrophe")
            await user.sees("jump to")
            await user.press("w")
            await user.sees("discovered")

        use(folder, what)
    assert asked == []


def test_failures_by_cause_and_the_files_of_one() -> None:
    hostile = Failure("\x1b]0;owned\x07/[/foo]", "unreadable", "\u202e")
    folder = make_execution("lab", Status.ERROR, totals=DONE, failures=[*FAILURES, hostile])

    async def what(user: User) -> None:
        await user.sees("F retries only them")
        await user.press("f")
        await user.sees("3 failed, 2 causes.")
        await user.sees("This account may not read it")
        assert "\\x1b]0;owned" in user.text()
        assert not set(user.text()) & set("\x1b\x07\u202e")
        await user.press("j", "enter")
        await user.sees("1 changed while read")
        await user.press("backspace")
        await user.sees("retry helps")
        await user.press("F")
        await user.strip()
        assert "Runs only what failed" in user.text()
        await user.press("escape", "backspace")
        await user.sees("discovered")

    use(folder, what)


def test_an_end_without_failures_offers_what_comes_next_and_no_retry() -> None:
    folder = make_execution("lab", Status.SUCCESS, totals=CLEAN)

    async def what(user: User) -> None:
        await user.sees("R another pass")
        await user.press("F")
        await user.sees("not now, nothing failed")

    use(folder, what)


def test_the_log_is_followed_until_one_moves_and_filtered() -> None:
    folder = make_execution("lab", Status.SUCCESS, totals=CLEAN)
    log = folder / RUNNER_LOG
    log.write_text("".join(f"line {number}\n" for number in range(100)) + "\x1b[2J bad\n")

    async def what(user: User) -> None:
        await user.press("o")
        await user.sees("\\x1b[2J bad")
        with log.open("a") as file:
            file.write("one more\n")
        await user.sees("one more")
        await user.press("g")
        await user.sees("standing still")
        assert "line 0" in user.text()
        await user.press("slash", *"line 77", "enter")
        await user.sees("line 77")
        assert "line 76" not in user.text()

    use(folder, what)


@pytest.mark.parametrize(("typed", "found"), [("none", None), ("10 Mbit/s", 1.25e6), (" 60MB/s ", 6e7)])
def test_limits_as_they_are_typed(typed: str, found: float | None) -> None:
    assert limit_of(typed) == found


@pytest.mark.parametrize(("typed", "found"), [("+3", (3, "")), ("-7", (0, "agent-7")), ("- special", (0, "special"))])
def test_agents_as_they_are_typed(typed: str, found: Any) -> None:
    assert agents_of(typed, ["agent-7", "special"]) == found


@pytest.mark.parametrize("typed", ["", "3", "+", "+0", "+65", "-9", "-", "+x"])
def test_other_texts_say_what_was_expected(typed: str) -> None:
    with pytest.raises(UsageError, match=r"expected \+1 to \+64 for more agents, or - and one of: agent-7"):
        agents_of(typed, ["agent-7"])
