"""``XsyncApp``: shows snapshots and gives the commands that the command line gives. Closing it touches no run."""

from __future__ import annotations

import asyncio
import difflib
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from textual import events, work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode

from engine.errors import XsyncError
from engine.model import Snapshot
from engine.quantities import format_duration_range
from xsync_tui import terminal, themes
from xsync_tui.alarm import Alarm
from xsync_tui.bridge import Bridge
from xsync_tui.cli.clock import clock_range
from xsync_tui.cli.headline import Life, life_of
from xsync_tui.drafting import Draft
from xsync_tui.drawing.choices import Choice
from xsync_tui.drawing.facts import Facts, Subject
from xsync_tui.drawing.journey import progress
from xsync_tui.drawing.rows import Canvas, Role, Row
from xsync_tui.keys import EVERYWHERE, JUMP, MOVES, Key, Tier, bindings, digit, shown_key
from xsync_tui.places import BY_NAME, PLACES, Place
from xsync_tui.screens.base import BaseScreen
from xsync_tui.screens.overlays import HelpScreen, Jump, Palette
from xsync_tui.screens.strip import Strip
from xsync_tui.settings import SettingsError, settings_path
from xsync_tui.surveying import SurveyJob
from xsync_tui.testing import at_work
from xsync_tui.text import shown

_PUSH_TITLE, _POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"

STOPPED = 5
"""Exit code after SIGTERM and SIGHUP."""

_GO = tuple(
    Key(f"go.{place.name}", digit(place.digit), place.label, f"go('{place.name}')", Tier.MOVE)
    for place in PLACES
    if place.digit
)


class XsyncApp(App[None]):
    """One mode a place of the journey; the screens of all are about ``subject``."""

    CSS_PATH = str(Path(__file__).with_name("xsync.tcss"))  # of apps derived from this one, too
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings((*_GO, *EVERYWHERE)),
        Binding("ctrl+c", "leave", show=False, priority=True),
    ]
    extra_keys: ClassVar[tuple[Key, ...]] = ()
    """Keys of an app of a kind of its own, on every screen."""

    test_step_seconds: ClassVar[float | None] = None
    """How long a step of a test run takes at most; None: as the command does."""

    pasted_seconds: float = 0.01
    """Nobody types two keys within this: a terminal that does not bracket what is pasted sends it like this."""

    ENABLE_COMMAND_PALETTE = False  # ours knows the state, and draws in ASCII where it has to

    def __init__(
        self,
        subject: Subject | None = None,
        *,
        bridge: Bridge | None = None,
        unicode: bool = True,
        theme: str = "auto",
        no_color: bool = False,
        slow: bool = False,
        bits: bool = False,
        bell: bool = True,
        keymap: dict[str, str] | None = None,
    ) -> None:
        if not no_color:
            os.environ.pop("NO_COLOR", None)  # an empty one means nothing; Textual would take all colours away
        # The filter of NO_COLOR is chosen in App.__init__, from the theme of that moment.
        super().__init__(ansi_color=True if no_color else None)
        self.subject = subject or Subject()
        self.bridge = bridge or Bridge()
        self.unicode, self.bits, self.slow = unicode, bits, slow
        self.keymap = keymap or {}
        self._wanted_theme, self._no_colors = theme, no_color
        self._told = ""
        self._key: events.Key | None = None
        self.surveying: dict[str, SurveyJob] = {}
        """The last survey that this app began of each location, by its plain URL."""
        self._alarm = Alarm() if bell else None
        for own in themes.OURS:
            self.register_theme(own)
        for place in PLACES:
            if place.screen and place.digit:
                self.add_mode(place.name, lambda place=place: self.screen_of(place))  # type: ignore[misc]

    async def on_event(self, event: events.Event) -> None:
        """Leave out an enter that was pasted: it would confirm what a letter before it had opened.

        A key waits while its screen does not know yet what it is about.
        """
        if isinstance(event, events.Key):
            if not event.is_forwarded:  # it comes again when no widget wants it: by then the screen may be another
                before, self._key = self._key, event
                if event.key == "enter" and before is not None and event.time - before.time < self.pasted_seconds:
                    return
            if isinstance(self.screen, BaseScreen) and self.screen.early.takes(event):
                return
        await super().on_event(event)

    async def press(self, event: events.Key) -> None:
        """Heed a key that waited."""
        await super().on_event(event)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables, by theme."""
        return themes.variables_for(self.current_theme)

    async def on_mount(self) -> None:
        """Choose colours, heed signals, open the first screen."""
        self.theme = themes.choose(self._wanted_theme, colors=self.console.color_system, no_color=self._no_colors)
        self.set_keymap(self.keymap)
        self._write(_PUSH_TITLE)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._leave_by_signal)
        await self.switch_mode(await asyncio.to_thread(self._first_place))

    def on_unmount(self) -> None:
        """Give the terminal its title back. A survey does not outlive the app: it keeps what it found."""
        self._write(_POP_TITLE)
        for job in self.surveying.values():
            job.stop()

    def now(self) -> float:
        """The time, Unix time."""
        return time.time()

    def pace(self, seconds: float) -> float:
        """Seconds between samples: twice as many on a slow line."""
        return seconds * 2 if self.slow else seconds

    def guide(self, screen: BaseScreen[Any], canvas: Canvas) -> Sequence[Row]:
        """Rows over the footer that lead on, for an app that leads."""
        return ()

    def why_not(self, key: Key) -> str:
        """Why a key of ``extra_keys`` can do nothing now; empty if it can."""
        return ""

    def farewell(self) -> list[str]:
        """What to say to who leaves."""
        return goodbye(self.bridge.live(), time.time(), at_work(self.bridge.home))

    def screen_of(self, place: Place) -> BaseScreen[Any]:
        """A new screen for a place."""
        return _class_of(place)()

    @property
    def covered_by_strip(self) -> bool:
        """Whether what is on top is small, so that the screen below is still seen."""
        return isinstance(self.screen, (Strip, Jump))

    # Going about.

    def action_go(self, name: str) -> None:
        """Go to a place of the journey, about what the cursor is on, else about the subject."""
        here = self.screen.subject_here() if isinstance(self.screen, BaseScreen) else None
        self.go(name, here)

    def go(self, name: str, subject: Subject | None = None, *, begin: bool = False) -> None:
        """Go to a place, about ``subject`` if one is given; ``begin``: and begin what only looks there.

        A place without a screen says which command does it.
        """
        place = BY_NAME[name]
        if subject is not None:
            self.subject = subject
        if not place.screen:
            self._say(f"{place.label}: {place.command.format(name=self.subject.name or 'PROFILE')}")
        elif place.digit:
            while self.current_mode == name and self._is_beside:
                self.pop_screen()
            self.switch_mode(name)
            if begin and isinstance(self.screen, BaseScreen):
                self.call_after_refresh(self.screen.begin)
        else:
            self.push_screen(self.screen_of(place))

    @property
    def _is_beside(self) -> bool:
        """Whether failures or the log lie on a place of the journey; a wizard stays, it is being written in."""
        on_top = self.screen.place if isinstance(self.screen, BaseScreen) else ""
        return on_top in ("failures", "log") and len(self.screen_stack) > 1

    def describe(self, draft: Draft) -> None:
        """Open the wizard on a draft."""
        from xsync_tui.screens.wizard import WizardScreen

        self.push_screen(WizardScreen(draft))

    def back(self) -> None:
        """Away with the screen on top, else to Home."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.current_mode != "home":
            self.switch_mode("home")

    def action_leave(self) -> None:
        """Leave: q, ctrl+c. Runs go on."""
        self.exit()

    async def action_quit(self) -> None:
        """Leave: ctrl+q."""
        self.exit()

    def action_units(self) -> None:
        """Rates in bits or in bytes."""
        self.bits = not self.bits
        if isinstance(self.screen, BaseScreen):
            self.screen.redraw()

    def action_help(self) -> None:
        """The keys and glyphs of the screen."""
        if isinstance(self.screen, BaseScreen):
            self.push_screen(HelpScreen(self.screen))

    @work(group="palette")
    async def action_palette(self) -> None:
        """All that can be done now, by a word of it."""
        screen = self.screen
        if not isinstance(screen, BaseScreen):
            return
        if chosen := await self.push_screen_wait(Palette(_choices(screen, self.keymap))):
            owner = screen if hasattr(screen, f"action_{chosen.partition('(')[0]}") else self
            await self.run_action(chosen, owner)

    # The terminal.

    def tell_terminal(self, facts: Facts, runs: Iterable[Snapshot], now: float) -> None:
        """The terminal's title: how far the subject is; its bell, where one of ``runs`` needs somebody or has ended."""
        for run in runs:
            if self._alarm is not None and self._alarm.rings(run, now):
                with suppress(XsyncError):
                    if not self.bridge.is_test(run.execution):
                        self.bell()
        title = shown(terminal_title(facts, now), 80, ascii_only=True)
        if title != self._told:
            self._told = title
            self._write(f"\x1b]2;{title}\x07")

    @work(group="copy", exclusive=True)
    async def action_copy(self) -> None:
        """Copy what the cursor is on out of the terminal, and say what it was."""
        screen = self.screen
        if not isinstance(screen, BaseScreen):
            return
        found = screen.copies()
        if found is None:
            screen.notice("There is nothing to copy here.", Role.MUTED)
            return
        what, text = found[0], shown(found[1])  # what is pasted into a shell must hold no control character
        by_tmux = await asyncio.to_thread(terminal.copied_by_tmux, text)
        if not by_tmux:
            self.copy_to_clipboard(text)
        screen.notice(f"Copied the {what}{'' if by_tmux else ', if this terminal takes it'}: {text}")

    def _fatal_error(self) -> None:
        """Leave; whoever runs the app tells the error (``main``)."""
        self._close_messages_no_wait()

    def _write(self, sequence: str) -> None:
        """Send a control sequence: Textual has no call for titles."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    def _first_place(self) -> str:
        """Where what was named stands, if there is a screen for that; else Home."""
        if not self.subject.name:
            return "home"
        facts = self.bridge.facts(self.subject)
        if facts.snapshot is not None:
            place = "report" if facts.snapshot.status.ended else "run"
        else:
            place = "plan" if facts.survey is not None and facts.profile is not None else "survey"
        return place if BY_NAME[place].screen else "home"

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Say which settings contradict each other."""
        ids = ", ".join(sorted(binding.id or binding.key for binding in clashed_bindings))
        self._say(f"settings.toml gives one key twice: {ids} do nothing now.")

    def _leave_by_signal(self) -> None:
        self.exit(return_code=STOPPED)

    def _say(self, text: str) -> None:
        if isinstance(self.screen, BaseScreen):
            self.screen.notice(text)


def _choices(screen: BaseScreen[Any], keymap: dict[str, str]) -> list[Choice]:
    """What the palette offers on a screen: its keys and the app's, then the places."""
    keys = [key for key in screen.all_keys() if key.tier is not Tier.MOVE and key.id != "palette"]
    found = [Choice(screen.words(key), shown_key(key, keymap), key.action, screen.why_not(key)) for key in keys]
    return found + [Choice(f"go to {key.words}", shown_key(key, keymap), key.action) for key in _GO]


def terminal_title(facts: Facts, now: float) -> str:
    """``61 % lab-images 05:35 - 06:10``, as the terminal's tab shows it."""
    snapshot = facts.snapshot
    if snapshot is None:
        return f"xsync {facts.subject.name}".strip()
    life = life_of(snapshot, now)
    if life in (Life.ENDED, Life.GONE):
        return f"{snapshot.status if life is Life.ENDED else 'RUNNER GONE'} {facts.subject.name}"
    return f"{progress(snapshot)} {facts.subject.name} {_ends(snapshot, now)}".strip()


def goodbye(live: list[Snapshot], now: float, tested: Mapping[str, str] | None = None) -> list[str]:
    """What a person who leaves should know: what goes on, and how to come back.

    ``tested``: profiles with a test run at work, and the execution of its step.
    """
    tests = tested or {}
    lines = [f"The test run of {shown(name)} goes on. Come back: xsync open {shown(name)}" for name in tests]
    for each in live:
        if each.execution in tests.values():
            continue
        ends = f", done {_ends(each, now)}" if each.eta_seconds else ""
        left = f" in {format_duration_range(*each.eta_seconds)}" if each.eta_seconds else ""
        name = each.profile or each.execution
        lines.append(f"{shown(name)} goes on: {progress(each)}{ends}{left}. Come back: xsync attach {shown(name)}")
    return lines


def check_keymap(keymap: dict[str, str]) -> None:
    """Raise SettingsError for ids that no key has; imports every screen."""
    keys = [key for place in PLACES if place.screen for key in _class_of(place).KEYS]
    known = {key.id for key in (*keys, *_GO, *EVERYWHERE, JUMP, *MOVES)}
    for unknown in keymap.keys() - known:
        nearest = difflib.get_close_matches(unknown, known, n=1)
        hint = f" (did you mean {nearest[0]}?)" if nearest else f"; there are: {', '.join(sorted(known))}"
        raise SettingsError(f"{settings_path()}: keys.{unknown}: no key is called like that{hint}")


def _ends(snapshot: Snapshot, now: float) -> str:
    if snapshot.eta_seconds is None:
        return ""
    low, high = snapshot.eta_seconds
    return clock_range(now + low, now + high, None, now)


def _class_of(place: Place) -> type[BaseScreen[Any]]:
    module, _, name = place.screen.partition(":")
    found: type[BaseScreen[Any]] = getattr(importlib.import_module(module), name)
    return found


def main(subject: Subject | None = None, *, kind: type[XsyncApp] = XsyncApp, **options: Any) -> int:
    """Run the app on this terminal and say what goes on after it. Returns the exit code. Raises XsyncError."""
    if options.get("keymap"):
        check_keymap(options["keymap"])
    app = kind(subject, **options)
    try:
        app.run(mouse=False)  # the terminal's own selection and copy keep working
        if app._exception is not None:
            raise app._exception
        for line in [] if terminal.in_browser() else app.farewell():  # nobody would read it
            print(line, file=sys.stdout)
    finally:
        app.bridge.close()
    return app.return_code or 0
