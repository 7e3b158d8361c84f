"""How a cutover's checklist talks: what it says, asks and shows while it works; how a terminal does that."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import click

from xsync_tui.cli.output import current_look, emit, put, say

if TYPE_CHECKING:
    from engine.execution.comparing.verification import Progress
    from engine.execution.launch import Launched


class Listing(NamedTuple):
    """A long step: whether it shall end, and where it says how far it is."""

    cancelled: Callable[[], bool]
    show: Callable[[Progress], None]


class Talk(Protocol):
    """What the checklist needs of whoever confirms it: a terminal, a file of JSON lines, or a screen."""

    @property
    def answerable(self) -> bool:
        """Whether a person can answer here."""
        ...

    def readiness(self) -> None:
        """Show how ready the migration is."""
        ...

    def say(self, text: str) -> None:
        """Say something to a person."""
        ...

    def paragraph(self, text: str) -> None:
        """Say something long, as one of several."""
        ...

    def warn(self, text: str) -> None:
        """Say what must not be missed."""
        ...

    def record(self, facts: dict[str, Any]) -> None:
        """Say the same to a program."""
        ...

    def typed(self, question: str) -> str:
        """What a person types."""
        ...

    def listing(self) -> AbstractContextManager[Listing]:
        """Around a long step."""
        ...

    def run(self, launch: Callable[[bool], Launched]) -> None:
        """Call ``launch`` with whether to detach, and stay until the execution ends or the person leaves."""
        ...

    def watch(self, folder: Path) -> None:
        """Stay with an execution that runs already."""
        ...


class Terminal:
    """A terminal, or with ``as_json`` lines of JSON on stdout. ``shown``: the readiness as lines, or as JSON."""

    def __init__(self, shown: dict[str, object] | list[str], *, as_json: bool) -> None:
        self._shown = shown
        self._as_json = as_json

    @property
    def answerable(self) -> bool:
        """Both ends are terminals."""
        return not self._as_json and sys.stdin.isatty() and sys.stdout.isatty()

    def readiness(self) -> None:
        """Print it."""
        if isinstance(self._shown, dict):
            emit(self._shown)
        else:
            put("\n".join(self._shown))

    def say(self, text: str) -> None:
        """Print it, unless stdout is JSON."""
        if not self._as_json:
            put(text)

    def paragraph(self, text: str) -> None:
        """Wrapped, with a dash before it."""
        from textwrap import wrap

        cells = current_look().width - 5
        self.say("\n".join(wrap(text, cells, initial_indent="  - ", subsequent_indent="    ")))

    def warn(self, text: str) -> None:
        """With --json on stderr."""
        (say if self._as_json else put)(text)

    def record(self, facts: dict[str, Any]) -> None:
        """A line of JSON."""
        if self._as_json:
            emit(facts)

    def typed(self, question: str) -> str:
        """Ask on the terminal."""
        return str(click.prompt(question, prompt_suffix="", default="", show_default=False))

    @contextmanager
    def listing(self) -> Iterator[Listing]:
        """SIGINT and SIGTERM cancel it; a line is redrawn."""
        from xsync_tui.cli.listed import Counter
        from xsync_tui.cli.survey import cancelled_by_signals

        counter = Counter()
        with cancelled_by_signals() as came:
            yield Listing(lambda: bool(came), counter.show)
        counter.erase()

    def run(self, launch: Callable[[bool], Launched]) -> None:
        """As ``xsync run`` does."""
        from xsync_tui.cli.running import run_and_stay

        run_and_stay(launch, detach=False, as_json=self._as_json)

    def watch(self, folder: Path) -> None:
        """As ``xsync attach`` does."""
        from xsync_tui.cli.running import watch

        watch(folder, as_json=self._as_json)
