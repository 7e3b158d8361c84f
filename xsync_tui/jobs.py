"""Work that a screen starts and that is longer than a key: a test run, a cutover. Each in a thread of its own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import StoppedError, XsyncError
from engine.journal.reader import SnapshotReader
from xsync_tui import testing
from xsync_tui.cli.cutover_talk import Listing
from xsync_tui.cli.entry import unexpected
from xsync_tui.drawing.checklist import Work
from xsync_tui.processes import start_resource_tracker

if TYPE_CHECKING:
    from engine.execution.comparing.verification import Progress
    from engine.execution.launch import Launched
    from engine.execution.testrun.ladder import Prepared
    from engine.model import Migration
    from xsync_tui.bridge import Bridge

_POLL_SECONDS = 0.5
_KEPT_LINES = 100


class Job:
    """A thread that does one thing. ``trouble``: what an XsyncError said, once that ended it."""

    def __init__(self) -> None:
        self.trouble = ""
        self.stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def at_work(self) -> bool:
        """Whether it works now."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, what: Callable[[], None]) -> None:
        """Do ``what`` in a thread that ends with this process. Nothing happens while another one is at work."""
        if self.at_work:
            return
        self.trouble = ""
        self.stopping.clear()

        def guarded() -> None:
            try:
                start_resource_tracker()
                what()
            except XsyncError as error:
                self.trouble = str(error)
            except Exception as error:  # a defect: it must not look as if nothing had happened
                self.trouble = unexpected(error)

        self._thread = threading.Thread(target=guarded, name=type(self).__name__, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end: what is under way is finished first."""
        self.stopping.set()

    def join(self, seconds: float) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join(seconds)


class TestRunJob(Job):
    """The beginning of a test run: ``look`` chooses what to copy, ``begin`` starts the process that copies it.

    Its fields are for a screen; how far the process is stands on disk (``xsync_tui.testing``).
    """

    __test__ = False

    def __init__(self, profile: str, migration: Migration, step_seconds: float | None = None) -> None:
        super().__init__()
        self.profile = profile
        self._step_seconds = step_seconds
        self.looking = ""
        self.prepared: Prepared | None = None
        self.dollars = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self._migration = migration

    def look(self) -> None:
        """Choose the folders; the source is surveyed first where that was not done."""
        self.looking = "Looking at both sides, and for folders with sizes like the whole."
        self.start(self._look)

    def begin(self, bridge: Bridge) -> None:
        """Copy what was chosen, step by step; nothing happens before ``look`` has found something."""
        if self.prepared is not None:
            self.start(partial(self._begin, bridge, self.prepared))

    def _look(self) -> None:
        from engine.execution.testrun.ladder import prepare
        from engine.planning.prices import load_prices
        from xsync_tui.cli.test_run import DEFAULT_LADDER, STEP_SECONDS, request_of

        try:
            agents = max(self._migration.agents, DEFAULT_LADDER)
            seconds = self._step_seconds or STEP_SECONDS
            request = request_of(self._migration, self.profile, (), agents, seconds, ladder=True)
            prepared = prepare(request, self._surveying, self.stopping.is_set)
            storage_class = self._migration.destination.storage_class
            self.dollars = prepared.requests.dollars(load_prices(), storage_class)
            self.prepared = prepared
        finally:
            self.looking = ""

    def _surveying(self, progress: Any) -> None:
        self.looking = f"The source was not surveyed yet: {progress.entries:,} entries so far."

    def _begin(self, bridge: Bridge, prepared: Prepared) -> None:
        self.looking, self.prepared = "Beginning.", None
        try:
            self.process = testing.start(bridge.home, self.profile, prepared)
        except BaseException:
            self.looking = ""
            raise
        bridge.runners.append(self.process)  # or it would stay a zombie

    def seen(self) -> None:
        """The process has been seen to be at work: this is no news any more."""
        self.looking = ""


class CutoverJob(Job):
    """The checklist of a cutover, as a screen talks to it (``cutover_talk.Talk``).

    ``question`` waits for ``answer``. A final delta goes on by itself when this ends.
    """

    answerable = True

    def __init__(self, profile: str) -> None:
        super().__init__()
        self.profile = profile
        self.question = ""
        self._doing = ""
        self._said: list[str] = []
        self._answer = ""
        self._answered = threading.Event()

    @property
    def work(self) -> Work:
        """What a screen shows of it."""
        return Work(self.at_work, self._doing, self.question, tuple(self._said))

    def answer(self, text: str) -> None:
        """What a person typed."""
        self._answer = text
        self._answered.set()

    def stop(self) -> None:
        """No step follows; a question is left unanswered."""
        super().stop()
        self.answer("")

    def readiness(self) -> None:
        """It is on the screen."""

    def say(self, text: str) -> None:
        """Keep what it said."""
        self._said = [*self._said, *(line.strip() for line in text.splitlines() if line.strip())][-_KEPT_LINES:]

    def paragraph(self, text: str) -> None:
        """Say it."""
        self.say(f"- {text}")

    def warn(self, text: str) -> None:
        """The same."""
        self.say(f"! {text.strip()}")

    def record(self, facts: dict[str, Any]) -> None:
        """It is on disk."""

    def typed(self, question: str) -> str:
        """Wait until a person answers."""
        self._answered.clear()
        if self.stopping.is_set():
            return ""
        self.question = question.strip().rstrip(":")
        self._answered.wait()
        self.question = ""
        return self._answer

    @contextmanager
    def listing(self) -> Iterator[Listing]:
        """Say how far a long step is."""

        def show(progress: Progress) -> None:
            self._doing = f"{progress.step}: {progress.entries:,}"

        try:
            yield Listing(self.stopping.is_set, show)
        finally:
            self._doing = ""

    def run(self, launch: Callable[[bool], Launched]) -> None:
        """Begin the final delta as a process that needs nobody, and watch it."""
        launched = launch(True)
        self.watch(launched.folder)
        launched.process.wait()

    def watch(self, folder: Path) -> None:
        """Until it ends, or nobody wants to see it any more. Raises StoppedError for the latter."""
        try:
            with SnapshotReader(folder) as reader:
                while not (snapshot := reader.read()).status.ended or snapshot.runner_alive:
                    if not snapshot.runner_alive and not snapshot.status.ended:
                        return
                    files = snapshot.totals.files
                    self._doing = f"{files.discovered - files.pending:,} of {files.discovered:,} files"
                    if self.stopping.wait(_POLL_SECONDS):
                        raise StoppedError("the final delta goes on by itself; enter comes back to it")
        finally:
            self._doing = ""
