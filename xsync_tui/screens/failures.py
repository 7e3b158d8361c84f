"""Failures of the subject's newest execution, by cause; enter lists the files of one."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import work

from engine.errors import XsyncError
from engine.model import Failure, Snapshot, Status
from xsync_tui.bridge import Bridge
from xsync_tui.cli.outcome import retryable, work_left
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.failures import Cause, causes, failures_answer, failures_list, failures_table
from xsync_tui.drawing.rows import Canvas, Piece, Role
from xsync_tui.keys import Key, Tier
from xsync_tui.screens import starting
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.screens.exporting import export_failures


class FailureFacts(NamedTuple):
    """The execution, if there is one, the failures that its journal kept, and its folder."""

    snapshot: Snapshot | None
    failures: list[Failure]
    folder: Path | None = None


class FailuresScreen(BaseScreen[FailureFacts]):
    """Causes with most files first."""

    place = "failures"
    seconds = 2.0
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("failures.open", "enter", "files", "open", footer=True),
        Key("failures.export", "x", "export", "export"),
        Key("failures.log", "o", "log", "app.go('log')", footer=False),
        Key("failures.close", "escape,backspace", "back", "back", Tier.MOVE),
        Key("failures.retry", "F", "retry failed", "retry", Tier.ACT),
    )

    def __init__(self) -> None:
        super().__init__()
        self._opened: str | None = None

    def sample(self, subject: Subject, bridge: Bridge) -> FailureFacts:
        """The counts and what was kept of each."""
        folder = bridge.folder_of(subject)
        if folder is None:
            return FailureFacts(None, [])
        return FailureFacts(bridge.snapshot(folder), bridge.failures(folder), folder)

    def draw(self, value: FailureFacts, canvas: Canvas, now: float) -> Drawn:
        """The causes, or the files of one."""
        if value.snapshot is None:
            return Drawn([(Piece(" Nothing has run yet, so nothing has failed.", Role.MUTED),)])
        answer, found = failures_answer(value.snapshot, canvas), self._causes()
        below = canvas._replace(height=canvas.height - 1)
        opened = self._opened_cause()
        if opened is not None:
            return Drawn([answer, *failures_list(opened, self.cursor, below)])
        return Drawn([answer, *(failures_table(found, self.cursor, below) if found else [])])

    def count(self) -> int:
        """Causes, or the files of the opened one."""
        opened = self._opened_cause()
        return len(opened.examples) if opened is not None else len(self._causes())

    def copies(self) -> tuple[str, str] | None:
        """The path of the file, or the cause."""
        opened, found = self._opened_cause(), self._causes()
        if opened is not None and opened.examples:
            return "path", opened.examples[min(self.cursor, len(opened.examples) - 1)].path
        return ("cause", found[min(self.cursor, len(found) - 1)].reason) if found else super().copies()

    def reason(self, key: Key) -> str:
        """What state forbids."""
        snapshot = self.value.snapshot if self.value else None
        match key.id:
            case "failures.open":
                return "" if self._causes() and self._opened is None else "there is nothing to open"
            case "failures.export":
                return "" if self._causes() else "nothing has failed"
            case "failures.retry":
                if snapshot is None:
                    return "nothing has run yet"
                if not snapshot.status.ended:
                    return "it has not ended: what failed can be retried when it has"
                if snapshot.failure_counts and snapshot.status is not Status.CANCELLED and work_left(snapshot):
                    return "it ended early: 5, then R, goes on with all that is left, what failed included"
                return "" if retryable(snapshot) else "there is nothing that a retry is for"
        return ""

    def action_open(self) -> None:
        """List the files of the cause under the cursor."""
        found = self._causes()
        if found and self._opened is None:
            self._opened = found[min(self.cursor, len(found) - 1)].reason
            self.cursor = 0
            self.redraw()

    @work(group="export", exclusive=True)
    async def action_export(self) -> None:
        """Write all that failed as CSV and as JSON into the current folder."""
        if self.refused("failures.export") or self.value is None or self.value.folder is None:
            return
        folder, name = self.value.folder, self.facts.subject.name
        self.notice("Writing what failed.", Role.MUTED)
        try:
            self.notice(await asyncio.to_thread(export_failures, folder, name, self.xsync.now()))
        except XsyncError as error:
            self.notice(str(error), Role.ALARM)

    def action_back(self) -> None:
        """From the files to the causes, from there away."""
        if self._opened is not None:
            reasons = [cause.reason for cause in self._causes()]
            self.cursor = reasons.index(self._opened) if self._opened in reasons else 0
            self._opened = None
            self.redraw()
        else:
            super().action_back()

    def action_retry(self) -> None:
        """Run what failed once more, as an execution of its own."""
        if self.refused("failures.retry"):
            return
        subject = self.facts.subject
        self.act(starting.retry_act(subject.name), partial(starting.retry, self.xsync.bridge, subject))

    def _causes(self) -> list[Cause]:
        if self.value is None or self.value.snapshot is None:
            return []
        return causes(self.value.snapshot.failure_counts, self.value.failures)

    def _opened_cause(self) -> Cause | None:
        return next((cause for cause in self._causes() if cause.reason == self._opened), None)
