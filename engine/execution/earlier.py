"""What a run has to do with earlier ones that were interrupted: it goes on with one, or takes their place.

An execution is continued if the new one would copy the same and judge it in the same way. It is superseded if the new
one, between the same two sides, is of the same name or covers all that it does: to go on with it afterwards would put
what it knew in the place of what is known since.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine import home
from engine.errors import JournalError, UsageError
from engine.journal.reader import Standing, read_standing
from engine.locations.registry import bucket_and_prefix, file_path, scheme_of
from engine.locks import runner_alive
from engine.model import FilterSpec, LocationSpec, Migration, Status
from engine.quantities import format_rate

WAYS = ("mounts", "interfaces", "addressing", "ca_bundle")
"""What of a location only says on which way it is reached."""

FREE = frozenset(
    (
        "agents",
        "network.timetable",
        "notify",
        "metrics_file",
        "tasks.level",
        "options.bytes_per_second",
        *(f"{side}.{way}" for side in ("source", "destination") for way in WAYS),
    )
)
"""Keys that change how fast something is done or where it is told, never what is copied or how it is judged."""

_SECTIONS = ("source", "destination", "filters", "options")
_KEYS = {"limits": "network.timetable", "task_level": "tasks.level"}
"""Where a profile says what has another name in a Migration."""


class Left(msgspec.Struct, frozen=True):
    """An interrupted execution that is not continued. ``differs``: keys that do not agree with it.

    ``superseded``: the new execution takes its place; else it stays as it is. ``profile``: of which it is.
    """

    execution: str
    differs: tuple[str, ...]
    superseded: bool
    profile: str | None = None


class Earlier(NamedTuple):
    """``continues``: the folder of the execution to go on with; ``changed``: free keys that are new, with words."""

    continues: Path | None = None
    changed: tuple[tuple[str, str], ...] = ()
    left: tuple[Left, ...] = ()

    @property
    def superseded(self) -> list[str]:
        """Ids of the executions whose place is taken."""
        return [each.execution for each in self.left if each.superseded]


def resumable(status: Status, pending_files: int, listing_complete: bool) -> bool:
    """Whether an execution without a runner has work left that a resume may do."""
    if status in (Status.SUCCESS, Status.CANCELLED, Status.SUPERSEDED):
        return False
    return status is not Status.ERROR or pending_files > 0 or not listing_complete


def look_back(wanted: Migration) -> Earlier:
    """What a run of ``wanted`` has to do with the executions that there are. Raises JournalError."""
    continues: Path | None = None
    changed: list[str] = []
    left = []
    newest, newest_of_name = True, wanted.name is not None
    for folder, found in _newest_first():
        migration, same_name = found.migration, found.migration.name == wanted.name
        related = same_sides(migration, wanted)
        whole = not migration.test and migration.retry is None
        waits = _waits(folder, found)
        differs = differences(migration, wanted)
        if related and same_name and whole and newest:
            newest = False
            if waits and FREE.issuperset(differs):
                continues, changed = folder, differs
                continue
        if waits and (related or (newest_of_name and same_name and whole)):
            taken = related and (same_name or _covers(wanted, migration))
            left.append(Left(folder.name, telling(differs), taken, migration.name))
        newest_of_name = newest_of_name and not (same_name and whole)
    return Earlier(continues, tuple((key, _words(key, wanted)) for key in changed), tuple(left))


def differences(old: Migration, new: Migration) -> list[str]:
    """Keys, as a profile has them, in which two migrations differ, but for their names. Pure.

    The same folder, spelled in another way, is no difference.
    """
    found = []
    for field in Migration.__struct_fields__:
        before, after = getattr(old, field), getattr(new, field)
        if field in _SECTIONS:
            inner = [key for key in before.__struct_fields__ if getattr(before, key) != getattr(after, key)]
            found += [f"{field}.{key}" for key in inner if not (key == "url" and _same_place(before, after))]
        elif field != "name" and before != after:
            found.append(_KEYS.get(field, field))
    return found


def same_sides(one: Migration, other: Migration) -> bool:
    """Whether both copy from the same place to the same place, as far as their locations say it. Pure."""
    return _same_place(one.source, other.source) and _same_place(one.destination, other.destination)


def _newest_first() -> Iterator[tuple[Path, Standing]]:
    for folder in reversed(home.list_execution_folders(home.find_home())):
        try:
            yield folder, read_standing(folder)
        except JournalError:
            continue  # damaged or of another version: nothing that could be continued


def _waits(folder: Path, found: Standing) -> bool:
    """Whether it was interrupted, and nobody works on it."""
    totals = found.totals
    return resumable(found.status, totals.files.pending, totals.listing_complete) and not runner_alive(folder)


def _covers(new: Migration, old: Migration) -> bool:
    """Whether all files that ``old`` is about are also the business of ``new``."""
    return new.filters in (FilterSpec(), old.filters)


def _same_place(one: LocationSpec, other: LocationSpec) -> bool:
    try:
        return _place(one) == _place(other)
    except UsageError:
        return one.url == other.url


def _place(spec: LocationSpec) -> tuple[str, ...]:
    """Without a look at it: a mount that hangs must not hold up a run that has nothing to do with it."""
    if scheme_of(spec.url) == "s3":
        return ("s3", (spec.endpoint_url or "").rstrip("/").lower(), *bucket_and_prefix(spec.url))
    return ("file", file_path(spec.url).decode("utf-8", "surrogateescape"))


def telling(differs: list[str]) -> tuple[str, ...]:
    """The keys that keep it from being continued; where none does, something newer came between."""
    return tuple(key for key in differs if key not in FREE)


def _words(key: str, new: Migration) -> str:
    """How to say what a free key is now."""
    match key:
        case "agents":
            return f"{new.agents} agent{'' if new.agents == 1 else 's'}"
        case "options.bytes_per_second":
            rate = new.options.bytes_per_second
            return f"limit {format_rate(rate)}" if rate > 0 else "no limit"
        case "network.timetable":
            return "another timetable" if new.limits else "no timetable"
        case "notify":
            return "other notifications" if new.notify else "no notifications"
        case "metrics_file":
            return f"metrics in {new.metrics_file}" if new.metrics_file else "no metrics file"
        case "tasks.level":
            return "tasks as they were cut before"
        case _:
            return f"another {key}"
