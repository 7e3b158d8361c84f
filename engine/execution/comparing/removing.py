"""What a runner does before anything is deleted: look at the destination, make the list, and ask every guard.

Whatever a guard finds holds back every deletion of the run; what was copied stays. On a resume the list is made anew:
what was true before the crash need not be true any more, and what is deleted already is not in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.catalog.deletions import Found, Rules, Source, write_deletions
from engine.catalog.destination import sort_listing
from engine.catalog.state import read_state
from engine.catalog.trust import is_empty, listing_errors, not_entered
from engine.errors import LocationError
from engine.execution.comparing import nested
from engine.execution.coordination.messages import DeletionGroup
from engine.execution.session import SPILL, Session
from engine.filters import Filters
from engine.locations.registry import open_location
from engine.model import Deletions, Fate, FilterSpec, LocationSpec, Status, TransferOptions
from engine.names import is_safe_relative, text_of
from engine.quantities import counted, format_bytes, format_count
from engine.survey.listing import list_entries

LIST = "deletions.parquet"
"""The deletion list in an execution's folder; it stays there."""

_EMPTY = "the source holds no file inside the filters: if that is so, remove the destination's files yourself"
_SECOND_NS = 10**9


class Removal(NamedTuple):
    """``groups``: batches of the list to delete; none if nothing is to be, or may be.

    ``notes``: events, as (kind, text). ``fatal``: the source is not what it was, so that the run must end.
    """

    deletions: Deletions | None
    groups: Sequence[DeletionGroup] = ()
    notes: Sequence[tuple[str, str]] = ()
    fatal: str = ""


def deletes(session: Session) -> bool:
    """Whether this session may delete anything."""
    options = session.migration.options
    return options.preserve_deleted_files == "REMOVE" and options.transfer_mode == "CHANGED"


def find_deletions(
    session: Session, entries: Sequence[Path], results: Sequence[Path], *, old_forms: bool = False
) -> Removal:
    """Make the deletion list, and decide whether it may be worked on. Blocks. Raises JournalError, OSError.

    ``entries``: this execution's segments; ``results``: its own, and those of others that the state does not hold yet.
    ``old_forms``: of a run that deletes nothing else, what stands in the way of what changed its type at the source.
    """
    filters, spill = session.migration.filters, session.folder / SPILL
    if filters.manifest is not None or filters.only is not None:
        return Removal(None, notes=[("note", "a run of listed paths alone deletes nothing")])
    errors = listing_errors(entries, spill)
    if errors:
        return _held_back(
            f"{counted(errors, 'folder or entry', 'folders or entries')} of the source could not be read", refused=False
        )
    try:
        found = _found(session, entries, results, old_forms=old_forms)
    except LocationError as error:
        return _held_back(f"the destination could not be listed: {error}")
    if isinstance(found, str):
        return _held_back(found)
    removal = _decided(session, found, entries)
    if old_forms and not (removal.deletions is not None and removal.deletions.held_back):
        return removal._replace(deletions=None)
    return removal


def ended(files: int, folders: int, deletions: Deletions | None) -> tuple[Status, str]:
    """Status and message of a run that did all it could. ``files``, ``folders``: what could not be copied or listed."""
    failed = [f"{count:,} {kind}{'s'[: count != 1]}" for count, kind in ((files, "file"), (folders, "folder")) if count]
    problems = [f"{' and '.join(failed)} failed"] if failed else []
    if deletions is not None and deletions.not_deleted:
        problems.append(f"{deletions.not_deleted:,} could not be deleted")
    if deletions is not None and deletions.held_back:
        problems.append(f"nothing was deleted: {deletions.held_back}")
    return (Status.ERROR, f"done, but {'; '.join(problems)}") if problems else (Status.SUCCESS, "")


def over_threshold(found: Found, options: TransferOptions, list_path: Path) -> str:
    """Why so many deletions are not done without consent, and how to give it; empty if they are few."""
    entries, held = found.files + found.folders, max(found.held, 1)
    if options.max_deletions is not None:
        limit = f"max_deletions = {options.max_deletions}"
        few = entries <= options.max_deletions
    else:
        limit = f"max_deletion_share = {options.max_deletion_share:g}"
        few = entries <= options.max_deletion_share * held
    if few or not entries:
        return ""
    return (
        f"{format_count(entries)} of {format_count(found.held)} entries at the destination "
        f"({100 * entries / held:.1f} %) are not at the source: "
        f"{counted(found.files, 'file')} and {counted(found.folders, 'folder')}, "
        f"{format_bytes(found.size)}. That is over {limit}. They are listed in {list_path}. To delete them: "
        f"--max-deletions {entries}, or max_deletions = {entries} under [options] of the profile"
    )


def source_problem(spec: LocationSpec, identity: str) -> str:
    """Why the source is not what it was, looked at anew; empty if it is."""
    location = open_location(spec)
    try:
        location.check_source()
        now = location.identity()
    except (LocationError, OSError) as error:
        return f"the source cannot be reached any more: {error}"
    finally:
        location.close()
    if now != identity:
        return f"the source is not what it was (it was {identity}, it is {now}): is its file system still mounted?"
    return ""


def _found(session: Session, entries: Sequence[Path], results: Sequence[Path], *, old_forms: bool) -> Found | str:
    """List the destination and compare; or why that cannot be done."""
    migration, folder = session.migration, session.folder
    aside, listing = folder / "held", folder / ".held.parquet"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        listed = list_entries(migration.destination, migration.filters, aside)
        if listed.errors:
            return f"{counted(listed.errors, 'folder')} of the destination could not be listed"
        sort_listing(listed.files, listing)
        state = [session.state / file.name for file in read_state(session.state).files]
        rules = _rules(session, not_entered(entries, folder / SPILL), old_forms=old_forms)
        return write_deletions(listing, Source(entries, state, results), rules, folder / LIST)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        listing.unlink(missing_ok=True)


def _rules(session: Session, mounts: frozenset[bytes], *, old_forms: bool) -> Rules:
    options, spec = session.migration.options, session.migration.filters
    objects = session.sides.destination.capabilities.transport == "objects"
    filters = Filters(spec)
    return Rules(
        objects,
        wanted=lambda path: is_safe_relative(path) and filters.fate(path, False) is Fate.CANDIDATE,
        mounts=mounts,
        foreign=options.delete_foreign and not old_forms and not _folds(session),
        old_forms=old_forms,
        overwrites=options.overwrite_mode != "NEVER",
        from_objects=session.sides.source.capabilities.transport == "objects",
        times_kept=options.mtime == "PRESERVE",
        ages=_mtimes(spec, round(session.execution.started_at * _SECOND_NS)),
        sizes=(spec.min_size_bytes, spec.max_size_bytes),
    )


def _folds(session: Session) -> bool:
    """Whether the destination takes several spellings for one name: what looks foreign there may be a file of ours."""
    destination = session.sides.destination
    return destination.capabilities.transport == "files" and bool(destination.folders.folds)


def _mtimes(spec: FilterSpec, began_ns: int) -> tuple[int | None, int | None]:
    """The least and greatest mtime of files that are neither too old nor too young."""
    oldest = None if spec.max_age_seconds is None else began_ns - spec.max_age_seconds * _SECOND_NS
    youngest = None if spec.min_age_seconds is None else began_ns - spec.min_age_seconds * _SECOND_NS
    return oldest, youngest


def _decided(session: Session, found: Found, entries: Sequence[Path]) -> Removal:
    """Ask the guards about a list."""
    list_path = session.folder / LIST
    deletions = Deletions(
        files=found.files,
        folders=found.folders,
        bytes=found.size,
        foreign_files=found.foreign_files,
        foreign_folders=found.foreign_folders,
        held=found.held,
        listed_in=str(list_path),
    )
    notes = _foreign_note(session, deletions)
    problem = source_problem(session.migration.source, session.sides.source_identity)
    if problem:
        return Removal(msgspec.structs.replace(deletions, held_back=problem), notes=notes, fatal=problem)
    if found.below_mount is not None:
        path = text_of(found.below_mount)
        why = f"{path} was copied before, and lies below a mount of the source that is not entered"
        return _held_back(why, deletions, notes)
    if not (found.groups or found.foreign_files):
        return Removal(deletions, notes=notes)
    if is_empty(entries, session.folder / SPILL):
        return _held_back(_EMPTY, deletions, notes)
    if not found.groups:
        return Removal(deletions, notes=notes)
    why = _refusal(session, found, list_path)
    if why:
        return _held_back(why, deletions, notes)
    text = f"{counted(found.files, 'file')} and {counted(found.folders, 'folder')} are not at the source"
    if not found.files + found.folders:
        text = "what changed its type at the source finds its old form in the way"
    notes.append(("deleting", f"{text}: deleting, see {list_path}"))
    if session.sides.destination.capabilities.transport == "objects" and session.sides.destination.keeps_versions():
        deletions = msgspec.structs.replace(deletions, versioned=True)
        text = "the bucket keeps versions: a deletion adds a delete marker, and the noncurrent versions stay and cost"
        notes.append(("warning", text))
    groups = [DeletionGroup(group.number, group.stage, group.old_form) for group in found.groups]
    return Removal(deletions, groups, notes)


def _refusal(session: Session, found: Found, list_path: Path) -> str:
    return _mount_problem(session) or over_threshold(found, session.migration.options, list_path)


def _mount_problem(session: Session) -> str:
    """What is mounted below the source otherwise than when the last run ended, or when this one began."""
    now, before = nested.mounts_below(session.sides.source), nested.recorded(session.state)
    vanished = nested.changes({path: now.get(path, "no mount") for path in session.mounts}, session.mounts)
    differs = vanished or nested.changes(before or {}, now)
    accept = "if that is intended, run once without deleting: that takes note of what is mounted now"
    if differs:
        return f"what is mounted below the source has changed ({'; '.join(differs)}); {accept}"
    if before is None and read_state(session.state).files:
        return f"it is not known what was mounted below the source when the last run ended; {accept}"
    return ""


def note_mounts(session: Session, deletions: Deletions | None) -> None:
    """Remember what is mounted below the source for the next run, unless this one cannot vouch for it.

    One that was to delete and did not keeps the older record: else the next would delete what a mount has hidden.
    Raises OSError.
    """
    now = nested.mounts_below(session.sides.source)
    unsure = deletes(session) and (deletions is None or deletions.held_back)
    stayed = all(now.get(path) == was for path, was in session.mounts.items())
    if session.migration.retry is None and stayed and not unsure:
        nested.record(session.state, now)


def _held_back(
    why: str,
    deletions: Deletions | None = None,
    notes: Sequence[tuple[str, str]] = (),
    *,
    refused: bool = True,
) -> Removal:
    held = msgspec.structs.replace(deletions or Deletions(), held_back=why, refused=refused)
    return Removal(held, notes=[*notes, ("warning", f"nothing was deleted: {why}")])


def _foreign_note(session: Session, deletions: Deletions) -> list[tuple[str, str]]:
    if not deletions.foreign_files + deletions.foreign_folders:
        return []
    text = (
        f"{counted(deletions.foreign_files, 'file')} and {counted(deletions.foreign_folders, 'folder')} at the "
        f"destination were not put there by xsync and stay; they are listed in {deletions.listed_in}"
    )
    if session.migration.options.delete_foreign and _folds(session):
        text += ". Where several spellings are one name, delete_foreign is not heeded"
    return [("note", text)]
