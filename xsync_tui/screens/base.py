"""The base of every screen: the frame, sampling twice a second while it is seen, moving, and acts behind a strip."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, cast

from textual import events, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.timer import Timer

from engine.errors import XsyncError
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Facts, Subject
from xsync_tui.drawing.frame import (
    FRAME_ROWS,
    LEAST_HEIGHT,
    LEAST_WIDTH,
    Act,
    Hint,
    Title,
    footer_row,
    journey_row,
    small_rows,
    title_row,
)
from xsync_tui.drawing.journey import steps_of, title_of
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, drawn_panes, lettered
from xsync_tui.drawing.shapes import wrapped
from xsync_tui.keys import EVERYWHERE, JUMP, MOVES, Key, Pane, Tier, bindings, shown_key
from xsync_tui.places import BY_NAME
from xsync_tui.screens.early import EarlyKeys
from xsync_tui.widgets.entry import Entry
from xsync_tui.widgets.lines import Lines

if TYPE_CHECKING:
    from engine.model import Snapshot
    from xsync_tui.app import XsyncApp

V = TypeVar("V")

_NOTICE_ROWS = 3
"""As many are there for what is said also in the smallest terminal; taller ones give what the body can spare."""


class Drawn(NamedTuple):
    """What a screen draws between journey and footer: the answer first. ``cursor``: index of the row it is on.

    ``title`` replaces the usual one.
    """

    rows: Sequence[Row]
    cursor: int | None = None
    title: Title | None = None


def defect(error: Exception) -> str:
    """What to say of an exception that should not be; its traceback is kept in the log of errors."""
    from xsync_tui.cli.entry import unexpected

    return f"{unexpected(error)}\nRuns go on. The commands tell the same: xsync status, xsync report."


class BaseScreen(Screen[None], Generic[V]):
    """A screen about the app's subject. A subclass says ``place``, KEYS, ``sample`` and ``draw``; BINDINGS follow KEYS.

    ``sample`` runs in a thread and may block; ``draw`` runs on the loop and must not. ``seconds``: between samples,
    None for what is read once each time the screen is opened (``reread`` reads it again).
    Textual calls the handlers (``on_mount``, ...) of every class in turn, the subclass first: without ``super()``.
    """

    KEYS: ClassVar[tuple[Key, ...]] = ()
    BINDINGS: ClassVar[list[BindingType]] = [*bindings((*MOVES, JUMP))]

    AUTO_FOCUS = ""  # keys are the screen's, unless somebody goes to an entry

    place: ClassVar[str] = ""
    seconds: ClassVar[float | None] = 0.5
    about_subject: ClassVar[bool] = True
    """Whether it shows nothing of another subject than the app's."""

    extra_rows: int = 0
    """Rows below the body that widgets of the subclass take."""

    def __init__(self) -> None:
        super().__init__()
        self.value: V | None = None
        self.facts = Facts(Subject())
        self.cursor = 0
        self.trouble = ""
        self.filter = ""
        self.early = EarlyKeys(self)
        self._said = "", Role.PLAIN
        self._notice: list[Row] = []
        self._guide: Sequence[Row] = ()
        self._letters: dict[str, str] = {}
        self._busy = False
        self._timer: Timer | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Bind KEYS."""
        cls.BINDINGS = [*bindings(cls.KEYS)]
        super().__init_subclass__(**kwargs)

    # What a subclass says.

    def sample(self, subject: Subject, bridge: Bridge) -> V:
        """Read what the screen shows; in a thread. Raises XsyncError, which is shown."""
        raise NotImplementedError

    def draw(self, value: V, canvas: Canvas, now: float) -> Drawn:
        """Rows for a canvas whose height is all there is between journey and footer."""
        raise NotImplementedError

    def waiting(self, canvas: Canvas) -> Drawn:
        """What is shown before the first sample."""
        return Drawn([(Piece(" Reading.", Role.MUTED),)])

    def journey_facts(self) -> Facts:
        """Whose steps the journey tells."""
        return self.facts

    def subject_here(self) -> Subject | None:
        """What the cursor is on, if that is another subject than the app's."""
        return None

    def count(self) -> int:
        """How many rows the cursor can be on."""
        return 0

    def reason(self, key: Key) -> str:
        """Why ``key`` can do nothing now; empty if it can."""
        return ""

    def why_not(self, key: Key) -> str:
        """``reason`` for keys of this screen; the app's own for its keys."""
        if key == JUMP:
            return "" if self.panes() else "there is one pane here"
        return self.reason(key) if key in self.KEYS else self.xsync.why_not(key)

    def refused(self, key_id: str) -> bool:
        """Whether a key of this screen can do nothing now; then it has been said why."""
        key = next(each for each in self.KEYS if each.id == key_id)
        if why := self.reason(key):
            self.notice(f"{key.words}: not now, {why}.")
        return bool(why)

    def runs(self) -> Sequence[Snapshot]:
        """Executions that are watched here: the bell rings for them."""
        return [] if self.facts.snapshot is None else [self.facts.snapshot]

    def panes(self) -> Sequence[Pane]:
        """Where ``'`` can jump to, each with the letter that does it."""
        return ()

    def copies(self) -> tuple[str, str] | None:
        """What ``y`` copies: what the cursor is on, and what that is; by default the run, else how to open it."""
        here = self.subject_here() or self.facts.subject
        run = self.facts.snapshot
        if run is not None and here == self.facts.subject:
            return "run id", run.execution
        return ("command", f"xsync open {here.name}") if here.name else None

    def begin(self) -> None:
        """Begin what only looks, such as a first survey, where somebody has just asked for it."""

    def words(self, key: Key) -> str:
        """What ``key`` does now, in the footer."""
        return key.words

    def legend(self, canvas: Canvas) -> Sequence[Row]:
        """What this screen's glyphs mean, for its help."""
        return []

    # The frame.

    @property
    def is_read(self) -> bool:
        """Whether what it is about has been read, so that keys mean what is seen; until then they wait."""
        about_it = not self.about_subject or self.facts.subject == self.xsync.subject
        return bool(self.trouble) or (self.value is not None and about_it)

    @property
    def xsync(self) -> XsyncApp:
        """The app."""
        return cast("XsyncApp", self.app)

    @property
    def canvas(self) -> Canvas:
        """Where the body is drawn."""
        filtering = self.is_mounted and self._filter.display
        app = self.xsync
        taken = FRAME_ROWS + self.extra_rows + len(self._notice) + filtering + len(self._guide)
        return Canvas(self.size.width, max(1, self.size.height - taken), app.unicode, app.bits)

    def compose(self) -> ComposeResult:
        """Head, body, what the subclass adds, notice, footer."""
        yield Lines(id="head")
        yield Lines(id="body")
        yield from self.widgets()
        yield Entry(id="filter", placeholder="only rows with these words")
        yield Lines(id="notice")
        yield Lines(id="foot")

    def widgets(self) -> ComposeResult:
        """Widgets between body and footer."""
        yield from ()

    def all_keys(self) -> tuple[Key, ...]:
        """The keys of this screen and of the app, looks before acts."""
        ranked = sorted(self.KEYS, key=lambda key: key.tier in (Tier.ACT, Tier.DESTROY))
        return (*ranked, *self.xsync.extra_keys, JUMP, *EVERYWHERE, *MOVES)

    def on_mount(self) -> None:
        """Find the parts once, and begin to sample."""
        self._head, self._body = self.query_one("#head", Lines), self.query_one("#body", Lines)
        self._notices, self._foot = self.query_one("#notice", Lines), self.query_one("#foot", Lines)
        self._filter = self.query_one("#filter", Entry)
        self._filter.display = False
        if self.seconds is not None:
            self._timer = self.set_interval(self.xsync.pace(self.seconds), self._tick, pause=True)

    def on_screen_resume(self) -> None:
        """Sample again: it is seen."""
        if self._timer is not None:
            self._timer.resume()
        self.reread()

    def on_screen_suspend(self) -> None:
        """Sample no more, unless only something small lies above it; what was said is no news when one comes back."""
        self.early.forget()
        if not self.xsync.covered_by_strip:
            self._notice = []
            if self._timer is not None:
                self._timer.pause()

    def on_resize(self, event: events.Resize) -> None:
        """Draw for the new size, once widgets have theirs."""
        self.call_after_refresh(self._redraw_all)

    def redraw(self) -> None:
        """Draw what is known, now."""
        if not self.is_mounted or not self.size.width:
            return
        self._guide = self.xsync.guide(self, self.canvas)
        if self._is_small(self.canvas):
            self._guide = []  # it gives way to what is said
        now, canvas = self.xsync.now(), self.canvas
        drawn = self._drawn(canvas._replace(width=max(canvas.width, LEAST_WIDTH)), now)
        title = drawn.title or title_of(self.facts, now, canvas)
        steps = steps_of(self.journey_facts(), now)
        self._head.show([title_row(title, now, canvas), journey_row(steps, self._digit, canvas)])
        if self._is_small(canvas):
            self._body.show(small_rows(drawn.rows[:1], canvas))
        else:
            self._body.show(lettered(drawn.rows, self._letters), drawn.cursor)
        self._notices.show([*self._notice, *self._guide])
        self._foot.show([footer_row(self._hints(), canvas)])
        self.xsync.tell_terminal(self.facts, self.runs(), now)
        if self.early and self.is_read:
            self.call_later(self._press_early)

    @staticmethod
    def _is_small(canvas: Canvas) -> bool:
        return canvas.width < LEAST_WIDTH or canvas.height + FRAME_ROWS < LEAST_HEIGHT

    async def _press_early(self) -> None:
        """Press the next key that waited; the others when it was heeded."""
        if (event := self.early.next()) is not None:
            await self.xsync.press(event)
            self.call_after_refresh(self._press_early)

    def notice(self, text: str, role: Role = Role.PLAIN) -> None:
        """Say something above the footer, until esc, backspace, the next one or another screen. Any text is safe."""
        canvas = self.canvas
        width, most = canvas.width - 2, max(_NOTICE_ROWS, self.size.height - LEAST_HEIGHT - self.extra_rows)
        lines = [part for line in text.splitlines() for part in wrapped(canvas.text(line), width)]
        if len(lines) > most:
            lines = wrapped(" ".join(lines), width, most)
        self._said = text, role
        self._notice = [(Piece(f" {line}", role),) for line in lines]
        self.redraw()

    def _redraw_all(self) -> None:
        if self._notice:
            self.notice(*self._said)
        else:
            self.redraw()

    # Sampling.

    def reread(self) -> None:
        """Sample now, unless a sample is under way."""
        if not self._busy and self.is_mounted:
            self._busy = True
            self._sample(self.xsync.subject)

    def _tick(self) -> None:
        if self._busy:
            self.redraw()  # the clock goes on while a read is slow
        else:
            self.reread()

    @work(group="sample", exit_on_error=True)
    async def _sample(self, subject: Subject) -> None:
        bridge = self.xsync.bridge
        known: list[Facts] = []

        def read() -> V:
            known.append(bridge.facts(subject))
            return self.sample(subject, bridge)

        try:
            value = await asyncio.to_thread(read)
        except XsyncError as error:
            self.trouble = str(error)
        except Exception as error:  # what one screen cannot read must not take the others away
            self.trouble = defect(error)
        else:
            self.trouble = known[0].problem if self.about_subject else ""
            if subject == self.xsync.subject or not self.about_subject:
                self.facts, self.value = known[0], value
                self.cursor = min(self.cursor, max(0, self.count() - 1))
        finally:
            self._busy = False
        if self.trouble and known and subject == self.xsync.subject != self.facts.subject:
            self.facts, self.value = known[0], None  # what was read is of another subject
        self.redraw()
        if subject != self.xsync.subject:
            self.reread()

    def _drawn(self, canvas: Canvas, now: float) -> Drawn:
        if self.trouble:
            mark = "✗" if canvas.unicode else "x"
            safe = (canvas.text(line) for line in self.trouble.splitlines() if line)
            lines = [part for line in safe for part in wrapped(line, canvas.width - 4)]
            rows = [(Piece(f" {mark if at == 0 else ' '} {line}", Role.ALARM),) for at, line in enumerate(lines)]
            return Drawn(rows[: canvas.height])
        if self.value is None or (self.about_subject and self.facts.subject != self.xsync.subject):
            return self.waiting(canvas)
        try:
            return self.draw(self.value, canvas, now)
        except Exception as error:
            self.trouble = defect(error)
            return self._drawn(canvas, now)

    @property
    def _digit(self) -> str:
        return BY_NAME[self.place].digit if self.place in BY_NAME else ""

    def _hints(self) -> list[Hint]:
        keymap = self.xsync.keymap
        home = self.place == "home"
        footed = [key for key in self.all_keys() if key.footer or (key.tier is Tier.LEAVE and home)]
        shown = [key for key in footed if not self.why_not(key)]
        hints = [Hint(shown_key(key, keymap), self.words(key), key.brief) for key in shown]
        # What is a letter goes into what is typed.
        return [hint for hint in hints if len(hint.key) > 1] if isinstance(self.focused, Entry) else hints

    # Filtering.

    def action_filter(self) -> None:
        """Type what rows must hold; for screens that have a key for it."""
        self._filter.display = True
        self._filter.focus()
        self.call_after_refresh(self.redraw)

    def on_input_changed(self, event: Entry.Changed) -> None:
        """Filter as it is typed."""
        if event.input is self._filter:
            self.filter, self.cursor = event.value, 0
            self.redraw()

    def on_input_submitted(self, event: Entry.Submitted) -> None:
        """Keep the filter and go back to the rows."""
        if event.input is self._filter:
            self._unfocus_filter()

    def on_entry_left(self, event: Entry.Left) -> None:
        """Away with the filter."""
        if event.entry is self._filter:
            self._filter.value = ""
            self._unfocus_filter()

    def _unfocus_filter(self) -> None:
        self.set_focus(None)
        self._filter.display = bool(self._filter.value)
        self.call_after_refresh(self.redraw)

    # Moving.

    def action_back(self) -> None:
        """One level back: first away with the notice."""
        if self._notice:
            self._notice = []
            self.redraw()
        elif self.filter:
            self._filter.value = ""
            self._unfocus_filter()
        else:
            self.xsync.back()

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self._move_to(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by most of a page."""
        self._move_to(self.cursor + pages * max(1, self.canvas.height - 4))

    def action_end(self, end: int) -> None:
        """Move the cursor to the first row (-1) or the last."""
        self._move_to(0 if end < 0 else self.count() - 1)

    def action_pane(self, panes: int) -> None:
        """Go to the next pane, where there are several."""

    @work(group="jump", exclusive=True)
    async def action_jump(self) -> None:
        """Show a letter at each pane, and go where the one that is pressed says; any other key leaves."""
        from xsync_tui.screens.overlays import Jump

        if not (panes := self.panes()):
            self.notice("There is one pane here.", Role.MUTED)
            return
        self._letters = {pane.heads_what: pane.letter for pane in panes}
        self.redraw()
        try:
            action = await self.app.push_screen_wait(Jump(panes, drawn_panes(self._body.rows)))
        finally:
            self._letters = {}
        self.redraw()
        if action:
            await self.run_action(action)

    def action_open(self) -> None:
        """Open what the cursor is on."""

    def _move_to(self, row: int) -> None:
        self.cursor = max(0, min(row, self.count() - 1))
        self.redraw()

    # Acting.

    @work(group="act", exit_on_error=True)
    async def act(self, act: Act, do: Callable[[], str], ahead: Callable[[], str] | None = None) -> None:
        """Open the strip of ``act``; once it is confirmed, ``do`` in a thread and show what it says.

        ``do`` raises XsyncError where it cannot. ``ahead``, in a thread too, adds to the effect what has to be read.
        """
        from xsync_tui.screens.strip import Strip

        if ahead is not None and (more := await asyncio.to_thread(ahead)):
            act = act._replace(effect=f"{act.effect} {more}")
        if not await self.app.push_screen_wait(Strip(act)):
            return
        self.notice(f"{act.name}: asked, waiting for the answer.", Role.MUTED)
        try:
            said, role = await asyncio.to_thread(do), Role.PLAIN
        except XsyncError as error:
            said, role = str(error), Role.ALARM
        self.notice(said, role)
        self.reread()

    def ask_runner(self, verb: str, arguments: dict[str, Any] | None = None) -> Callable[[], str]:
        """What ``act`` is to do: ask the runner of the subject's execution, and say what it answers."""
        return partial(_ask, self.xsync.bridge, self.xsync.subject, verb, arguments or {})


def _ask(bridge: Bridge, subject: Subject, verb: str, arguments: dict[str, Any]) -> str:
    from xsync_tui.cli.asking import require_live
    from xsync_tui.cli.clock import clock

    folder = bridge.folder_of(subject)
    if folder is None:
        raise XsyncError(f"{subject.name} has no execution.")
    words = verb.replace("_", " ")
    require_live(bridge.snapshot(folder), words)
    asked = clock(time.time())
    said = bridge.answer(folder, bridge.ask(folder, verb, arguments))
    if said is None:
        return f"{words} asked {asked}: the runner has not answered yet. It does it when it looks."
    return f"{words} asked {asked}, acknowledged {clock(time.time())}: {said}"
