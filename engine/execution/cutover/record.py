"""How far a cutover is: one small file a profile. What is done, when and by whom; what has to be done again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import msgspec

from engine.decoding import from_json
from engine.errors import BusyError
from engine.home import Home, list_execution_folders
from engine.journal.reader import read_migration
from engine.locations.registry import overlap
from engine.model import LocationSpec, Migration
from engine.records import Records

Step = Literal["readiness", "read-only", "delta", "verification", "sign-off", "rollback", "hand-over"]

STEPS: dict[Step, str] = {
    "readiness": "readiness seen and confirmed",
    "read-only": "source read-only",
    "delta": "final delta",
    "verification": "point-in-time verification",
    "sign-off": "sign-off report",
    "rollback": "rollback note",
    "hand-over": "hand over",
}
"""In their order."""


class Done(msgspec.Struct, frozen=True):
    """A step that is done: when (Unix time), by whom (account@host), what came of it, and its figures."""

    at: float
    who: str
    text: str
    facts: dict[str, Any] = {}


class Cutover(msgspec.Struct, frozen=True):
    """The cutover of a profile. ``migration``: as it was when it began. ``delta``: execution of the final delta, once
    that has begun. ``stopped``: why it went back to the step that is next, in sentences."""

    profile: str
    migration: Migration
    began_at: float
    began_by: str
    steps: dict[Step, Done] = {}
    delta: str | None = None
    stopped: str = ""

    @property
    def next(self) -> Step | None:
        """The first step that is not done."""
        return next((step for step in STEPS if step not in self.steps), None)

    def done(self, step: Step, done: Done) -> Cutover:
        """With this step done."""
        return msgspec.structs.replace(self, steps=self.steps | {step: done}, stopped="")

    def back_to(self, step: Step, why: str = "") -> Cutover:
        """With this step and all after it to be done again; another final delta is another execution."""
        names = list(STEPS)
        kept = names[: names.index(step)]
        delta = self.delta if "delta" in kept else None
        steps = {s: d for s, d in self.steps.items() if s in kept}
        return msgspec.structs.replace(self, steps=steps, delta=delta, stopped=why)

    def resumed(self) -> Cutover:
        """As another session may go on with it: what that one verified may have changed since."""
        return self if self.next is None or "verification" not in self.steps else self.back_to("verification")


def delta_of(migration: Migration) -> Migration:
    """The migration of a final delta: what is at the destination is looked at, and the checklist verifies by itself."""
    options = msgspec.structs.replace(migration.options, delta="destination")
    if options.verify_mode == "POINT_IN_TIME_CONSISTENT":
        options = msgspec.structs.replace(options, verify_mode="ONLY_FILES_TRANSFERRED")
    return msgspec.structs.replace(migration, options=options)


def newer_execution(home: Home, cutover: Cutover) -> str | None:
    """An execution begun after the final delta that may have written where that did; None if there is none.

    Raises JournalError.
    """
    newer = False
    for folder in list_execution_folders(home):
        if newer and overlap(read_migration(folder).destination, cutover.migration.destination):
            return folder.name
        newer = newer or folder.name == cutover.delta
    return None


def read_cutover(home: Home, profile: str) -> Cutover | None:
    """How far the cutover of a profile is, None if it has not begun. Raises XsyncError if that cannot be read."""
    return _records(home).read(profile, "Look at it; without it the cutover begins anew.")


def taken_by_users(home: Home, destination: LocationSpec) -> Cutover | None:
    """The cutover that handed over this destination, a folder in it or one around it, whatever profile it was of.

    None: nobody's. Raises XsyncError.
    """
    names = [name for name in _records(home).names() if not _is_sign_off(home, name)]
    known = (read_cutover(home, name) for name in names)
    done = (cutover for cutover in known if cutover is not None and "hand-over" in cutover.steps)
    return next((cutover for cutover in done if overlap(cutover.migration.destination, destination)), None)


def write_cutover(home: Home, cutover: Cutover) -> None:
    """Keep it, whole or not at all. Raises OSError."""
    _records(home).write(cutover.profile, cutover)


def forget_cutover(home: Home, profile: str) -> None:
    """Begin anew next time; sign-off reports stay."""
    _records(home).forget(profile)


@contextmanager
def alone(home: Home, profile: str) -> Iterator[None]:
    """Hold the cutover of a profile. Raises BusyError if another process does."""
    with _records(home).held(profile) as held:
        if not held:
            raise BusyError(f"another xsync cutover {profile} is at work on this host: let that one go on")
        yield


def _is_sign_off(home: Home, name: str) -> bool:
    """Whether a file beside the records is a report: it tells of a profile that it is not named after."""
    try:
        told = from_json((home.cutovers / f"{name}.json").read_bytes())
    except (OSError, msgspec.DecodeError):
        return False  # whoever reads it says what is wrong with it
    return isinstance(told, dict) and told.get("profile") != name


def _records(home: Home) -> Records[Cutover]:
    return Records(home.cutovers, Cutover)
