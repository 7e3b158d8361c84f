"""Home: all migrations of this account, what needs a person first; at the very start, one question."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult

from engine.model import Snapshot
from profiles.schema import Profile
from xsync_tui import drafts
from xsync_tui.bridge import Bridge
from xsync_tui.drawing.facts import Subject
from xsync_tui.drawing.frame import Title
from xsync_tui.drawing.home import Entry as HomeEntry
from xsync_tui.drawing.home import Group, HomeFacts, entries, filtered, first_rows, home_rows, host_text
from xsync_tui.drawing.rows import Canvas
from xsync_tui.keys import Key, Pane, Tier
from xsync_tui.screens import starting
from xsync_tui.screens.base import BaseScreen, Drawn
from xsync_tui.widgets.entry import Entry

_GROUPS = {
    Group.NEEDS: ("n", "needs you"),
    Group.RUNS: ("r", "runs"),
    Group.DUE: ("d", "due"),
    Group.REST: ("o", "others"),
}


class HomeScreen(BaseScreen[HomeFacts]):
    """Enter opens what the cursor is on where it stands; the digits and acts are about it too."""

    place = "home"
    about_subject = False
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("home.open", "enter", "open", "open"),
        Key("home.filter", "slash", "filter", "filter"),
        Key("home.failures", "f", "failures", "failures", footer=False),
        Key("home.new", "N", "new", "new", Tier.ACT),
        Key("home.run", "R", "run", "run", Tier.ACT),
        Key("home.retry", "F", "retry failed", "retry", Tier.ACT, brief="retry"),
        Key("home.cancel", "C", "cancel", "cancel", Tier.DESTROY),
        Key("home.delete", "D", "delete profile", "delete", Tier.DESTROY, brief="delete"),
    )

    def widgets(self) -> ComposeResult:
        """The one question of the first start."""
        yield Entry(id="where", placeholder="/mnt/data or s3://bucket/prefix")

    def on_mount(self) -> None:
        """Nothing is asked before it is known that there is nothing."""
        self._where = self.query_one("#where", Entry)
        self._where.display = False
        self._subject = self.xsync.subject

    def on_screen_resume(self) -> None:
        """The cursor is on what other screens were about."""
        self._subject = self.xsync.subject

    def sample(self, subject: Subject, bridge: Bridge) -> HomeFacts:
        """Profiles, executions, surveys, schedules."""
        due, stopped = bridge.schedules(time.time())
        found = tuple(drafts.all_drafts(bridge.home))
        return HomeFacts(
            bridge.host(),
            bridge.profiles(),
            bridge.executions(),
            bridge.surveys(),
            due,
            stopped,
            found,
            bridge.cutovers(),
        )

    def draw(self, value: HomeFacts, canvas: Canvas, now: float) -> Drawn:
        """The list, or the question."""
        free = f"state disk {value.host.free_bytes / 1e9:,.0f} GB free"
        title = Title("xsync", host_text(value.host, canvas), "", free)
        if self._is_first_start:
            self._ask_where()
            return Drawn(first_rows(str(self.xsync.bridge.home.base), canvas), None, title)
        self._where.display = False
        found = self._entries()
        self.cursor = self._follow(found)
        rows, at = home_rows(found, self.cursor, canvas, self._all(), self.filter)
        return Drawn(rows, at, title)

    def runs(self) -> Sequence[Snapshot]:
        """All of them."""
        found = self.value.executions if self.value else []
        return [each.snapshot for each in found if each.snapshot is not None]

    def count(self) -> int:
        """Entries that the filter leaves."""
        return len(self._entries())

    def subject_here(self) -> Subject | None:
        """What the cursor is on."""
        here = self._here()
        return here.subject if here else None

    def panes(self) -> Sequence[Pane]:
        """The groups that there are, from what needs a person to the rest."""
        groups = sorted({entry.group for entry in self._entries()})
        if len(groups) < 2:
            return ()
        return [Pane(*_GROUPS[group], f"show({int(group)})", group.name) for group in groups]

    def reason(self, key: Key) -> str:
        """What state forbids."""
        here = self._here()
        if key.id == "home.new":
            return ""
        if here is None:
            return "" if key.id == "home.open" and self._is_first_start else "there is no migration"
        profile = self._profile(here)
        match key.id:
            case "home.run" if here.draft is not None:
                return "it is a draft: enter goes on with it"
            case "home.run" if here.handed:
                return "it was handed over: a run would replace what users wrote"
            case "home.run":
                if here.group is Group.RUNS and not here.resumable:
                    return "it runs"
                return (
                    "" if here.resumable or profile is not None else "it has no profile: xsync run SOURCE DESTINATION"
                )
            case "home.retry":
                return "" if here.failed else "nothing failed"
            case "home.cancel":
                return "" if here.group is Group.RUNS or here.resumable else "nothing runs, and nothing was interrupted"
            case "home.delete":
                if here.draft is not None:
                    return ""
                if here.subject.profile is None:
                    return "it has no profile"
                return "it runs" if here.group is Group.RUNS else ""
        return ""

    def words(self, key: Key) -> str:
        """R goes on where there is something to go on with; at the first start enter surveys."""
        here = self._here()
        if key.id == "home.open" and self._is_first_start:
            return "survey it"
        if here is not None and here.draft is not None and key.id in ("home.open", "home.delete"):
            return "go on with it" if key.id == "home.open" else "delete draft"
        return "resume" if key.id == "home.run" and here is not None and here.resumable else key.words

    def action_open(self) -> None:
        """Go where the migration under the cursor stands."""
        here = self._here()
        if here is not None and here.draft is not None:
            self.xsync.describe(here.draft)
        elif here is not None:
            self.xsync.go(here.place, here.subject)

    def action_show(self, group: int) -> None:
        """To the first entry of a group."""
        found = self._entries()
        self._move_to(next((at for at, entry in enumerate(found) if entry.group == group), self.cursor))

    def action_new(self) -> None:
        """Describe a migration, step by step: nothing is begun but a survey."""
        self.xsync.go("new")

    def action_failures(self) -> None:
        """What failed in it."""
        if here := self._here():
            self.xsync.go("failures", here.subject)

    def action_run(self) -> None:
        """Resume it, or run its profile."""
        here = self._here()
        if self.refused("home.run") or here is None:
            return
        profile = self._profile(here)
        bridge = self.xsync.bridge
        if here.resumable:
            ahead = partial(starting.before_resume, bridge, here.subject, profile)
            self.act(starting.resume_act(here.subject.name), partial(starting.resume, bridge, here.subject), ahead)
        elif profile is not None:
            run = partial(starting.run, bridge, profile)
            self.act(starting.run_act(profile), run, partial(starting.before_run, profile))

    def action_retry(self) -> None:
        """Run what failed once more."""
        here = self._here()
        if not self.refused("home.retry") and here is not None:
            self.act(starting.retry_act(here.subject.name), partial(starting.retry, self.xsync.bridge, here.subject))

    def action_cancel(self) -> None:
        """End it for good, once its name is typed: what runs, or what was interrupted."""
        here = self._here()
        if self.refused("home.cancel") or here is None:
            return
        runs = here.group is Group.RUNS
        do = self.ask_runner("cancel") if runs else partial(starting.end, self.xsync.bridge, here.subject)
        self.act(starting.cancel_act(here.subject.name, runs=runs), do)

    def action_delete(self) -> None:
        """Delete the profile, once its name is typed; or the draft."""
        here = self._here()
        if here is not None and here.draft is not None:
            self.act(starting.forget_act(here.draft), partial(starting.forget, self.xsync.bridge, here.draft))
            return
        if not self.refused("home.delete") and here is not None and here.subject.profile:
            self.act(starting.delete_act(here.subject.profile), partial(starting.delete, here.subject.profile))

    def on_input_submitted(self, event: Entry.Submitted) -> None:
        """Survey what was typed at the first start."""
        if event.input is self._where and event.value.strip():
            where = event.value.strip()
            self.set_focus(None)
            location = where if "://" in where else os.path.abspath(os.path.expanduser(where))
            self.xsync.go("survey", Subject(location=location), begin=True)

    def on_entry_left(self, event: Entry.Left) -> None:
        """Let the keys work."""
        if event.entry is self._where:
            self.set_focus(None)
            self.redraw()

    def _move_to(self, row: int) -> None:
        found = self._entries()
        if found:
            self.cursor = max(0, min(row, len(found) - 1))
            self._subject = self.xsync.subject = found[self.cursor].subject
            self.reread()
        self.redraw()

    def _follow(self, found: list[HomeEntry]) -> int:
        """The cursor stays on its migration when the order changes; at first it is on what needs a person most."""
        for at, each in enumerate(found):
            if each.subject == self._subject:
                return at
        if found and not self._subject.name:
            self._subject = self.xsync.subject = found[0].subject
        return min(self.cursor, max(0, len(found) - 1))

    @property
    def _is_first_start(self) -> bool:
        value = self.value
        if value is None:
            return False
        return not (value.profiles or value.executions or value.surveys or value.drafts)

    def _ask_where(self) -> None:
        if not self._where.display:
            self._where.display = True
            self._where.focus()
            self.call_after_refresh(self.redraw)

    def _here(self) -> HomeEntry | None:
        found = self._entries()
        return found[min(self.cursor, len(found) - 1)] if found else None

    def _profile(self, entry: HomeEntry) -> Profile | None:
        found = self.value.profiles.get(entry.subject.profile or "") if self.value else None
        return found if isinstance(found, Profile) else None

    def _entries(self) -> list[HomeEntry]:
        return filtered(self._all(), self.filter)

    def _all(self) -> list[HomeEntry]:
        return [] if self.value is None else entries(self.value, self.xsync.now(), self.canvas)
