"""Moves what is known of a source and destination to another host: one tar.zst with a manifest and checksums.

An archive may come from anywhere: members are regular files whose names, sizes and checksums its manifest says, they
are written by these names into a new folder, nothing in it chooses a path, and nothing that it names is connected to.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import zstandard

import engine
from engine import home
from engine.catalog.files import replacing
from engine.catalog.state import MANIFEST as STATE
from engine.catalog.state import State, read_state
from engine.catalog.state_files import check_state, newest_fact
from engine.decoding import from_json
from engine.errors import JournalError, LocationError, RefusedError, UsageError, XsyncError
from engine.execution.prepare import claim_destination
from engine.execution.session import state_folder_of
from engine.journal.reader import read_identities, read_migration, read_segments, read_snapshot, read_succession
from engine.locations.registry import file_path, open_location, scheme_of
from engine.model import LocationSpec, Migration

MANIFEST = "manifest.json"
PROFILE = "profile.toml"
SCHEMA_VERSION = 1

_MOST_MANIFEST_BYTES = 64 << 20
_STEP = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


class ArchivedFile(msgspec.Struct, frozen=True):
    """A member: its name, bytes, and BLAKE2b-256 in hex."""

    name: str
    size: int
    digest: str


class Archive(msgspec.Struct, frozen=True, omit_defaults=True):
    """The manifest, the first member. ``newest_ns``: when its newest fact was recorded, since the epoch.

    ``profile``: the name of the profile in the archive, if there is one.
    """

    schema: int
    xsync_version: str
    exported_at: float
    host: str
    source: LocationSpec
    destination: LocationSpec
    source_identity: str
    destination_identity: str
    newest_ns: int
    files: tuple[ArchivedFile, ...]
    profile: str | None = None


class Imported(NamedTuple):
    """What an import did. ``notes``: what a person should know about the identity of the two sides.

    ``aside``: where the state lies that was there before. ``profile``: TOML text of the profile in the archive.
    """

    archive: Archive
    state: State
    notes: list[str]
    aside: Path | None
    profile: str | None


def export_state(execution: Path, out: Path, profile: tuple[str, str] | None) -> Archive:
    """Write the state of the two sides of an execution, and a profile (name, TOML text), to ``out``.

    Raises RefusedError while a run between them goes on or has results that are not in the state yet, UsageError if
    nothing is known of them, OSError.
    """
    migration = read_migration(execution)
    with claim_destination(migration, "of a state export"):
        return _export(execution.name, migration, read_identities(execution), out, profile)


def import_state(file: Path, *, force: bool) -> Imported:
    """Make the state in an archive the one that runs between its two sides use.

    Raises UsageError for what is no archive or does not verify, RefusedError if the state here is newer (unless
    ``force``) or a run uses it, OSError.
    """
    states = home.prepare_home().state
    with tempfile.TemporaryDirectory(dir=states, prefix=".import-") as aside:
        folder = Path(aside) / "state"
        folder.mkdir(mode=0o700)
        with _verified(file):
            archive = _read(file, folder)
            profile = _profile_in(folder, archive)
            state = read_state(folder)
            _check_members(archive, state)
            check_state(folder, state)
        identities = archive.source_identity, archive.destination_identity
        with claim_destination(Migration(archive.source, archive.destination), "of a state import"):
            _check_idle(identities)
            target = state_folder_of(*identities)
            _check_not_newer(target, archive, force=force)
            kept = _put_aside(target)
            os.rename(folder, target)
    return Imported(archive, state, list(_notes(archive)), kept, profile)


def _export(
    name: str, migration: Migration, identities: tuple[str, str], out: Path, profile: tuple[str, str] | None
) -> Archive:
    _check_idle(identities)
    folder = state_folder_of(*identities)
    state = read_state(folder)
    if not any(identities) or not (folder / STATE).exists():
        raise UsageError(f"{name} left no state behind: there is nothing to export")
    contents = {file: folder / file for file in (STATE, *state.names)}
    with tempfile.TemporaryDirectory(dir=home.find_home().base, prefix=".export-") as aside:
        if profile is not None:
            contents[PROFILE] = Path(aside) / PROFILE
            contents[PROFILE].write_text(profile[1], "utf-8")
        files = tuple(ArchivedFile(member, path.stat().st_size, _digest(path)) for member, path in contents.items())
        archive = Archive(
            schema=SCHEMA_VERSION,
            xsync_version=engine.__version__,
            exported_at=time.time(),
            host=socket.gethostname(),
            source=migration.source,
            destination=migration.destination,
            source_identity=identities[0],
            destination_identity=identities[1],
            newest_ns=newest_fact(folder, state),
            files=files,
            profile=None if profile is None else profile[0],
        )
        with replacing(out) as file:
            _write(file, archive, contents)
    return archive


def _write(out: IO[bytes], archive: Archive, contents: dict[str, Path]) -> None:
    manifest = msgspec.json.encode(archive)
    with (
        zstandard.ZstdCompressor(level=3).stream_writer(out, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        tar.addfile(_member(MANIFEST, len(manifest)), BytesIO(manifest))
        for member in archive.files:
            with open(contents[member.name], "rb") as content:
                tar.addfile(_member(member.name, member.size), content)


def _member(name: str, size: int) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size, found.mode = size, 0o600
    return found


@contextmanager
def _verified(file: Path) -> Iterator[None]:
    """Whatever is wrong with an archive is one sentence."""
    try:
        yield
    except FileNotFoundError:
        raise UsageError(f"{file}: no such file") from None
    except (tarfile.TarError, zstandard.ZstdError, msgspec.MsgspecError, JournalError, EOFError) as error:
        raise UsageError(f"{file}: not a whole archive of a state: {error}") from error


def _read(file: Path, folder: Path) -> Archive:
    """Write the members that the manifest names, and nothing else, into ``folder``."""
    with (
        open(file, "rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        first = tar.next()
        if first is None or first.name != MANIFEST or not first.isreg() or first.size > _MOST_MANIFEST_BYTES:
            raise UsageError(f"{file}: not an archive of a state: it does not begin with {MANIFEST}")
        content = tar.extractfile(first)
        assert content is not None  # isreg
        archive = from_json(content.read(), Archive)
        if archive.schema != SCHEMA_VERSION:
            raise UsageError(f"{file}: an archive of another version of xsync ({archive.xsync_version})")
        if sum(member.size for member in archive.files) > shutil.disk_usage(folder).free:
            raise UsageError(f"{file}: there is no room for what it holds in {folder.parent.parent}")
        expected = {member.name: member for member in archive.files}
        while (found := tar.next()) is not None:
            member = expected.pop(found.name, None)
            plain_file = found.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and found.sparse is None
            if member is None or not plain_file or found.size != member.size or not _NAME.fullmatch(found.name):
                raise UsageError(f"{file}: {found.name!r} is not what its manifest says: refused")
            content = tar.extractfile(found)
            assert content is not None
            if _copy(content, folder / member.name) != member.digest:
                raise UsageError(f"{file}: {member.name} is damaged: its checksum is not that of the manifest")
        if expected:
            raise UsageError(f"{file}: cut short: {', '.join(sorted(expected))} missing")
    return archive


def _copy(content: IO[bytes], target: Path) -> str:
    digest = hashlib.blake2b(digest_size=32)
    with open(target, "xb") as out:
        while block := content.read(_STEP):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def _profile_in(folder: Path, archive: Archive) -> str | None:
    """Take the profile out of the files of the state."""
    path = folder / PROFILE
    if not path.exists():
        return None
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{PROFILE} in the archive is not text") from None
    path.unlink()
    return text if archive.profile is not None else None


def _check_members(archive: Archive, state: State) -> None:
    members = {member.name for member in archive.files} - {PROFILE}
    if members != {STATE, *state.names}:
        raise UsageError("the files of the archive are not those of its state: refused")


def _check_idle(identities: tuple[str, str]) -> None:
    """Raise RefusedError if a run between these sides works, or has results that are not in the state yet."""
    for folder in home.list_execution_folders(home.find_home()):
        try:
            if read_identities(folder) != identities:
                continue
            if read_snapshot(folder).runner_alive:
                raise RefusedError(f"{folder.name} is running between these two sides: wait until it has ended")
            if read_segments(folder, "results"):
                by = read_succession(folder).superseded_by
                name = by or folder.name
                of = f" (superseded by {by})" if by else ""
                raise RefusedError(
                    f"{folder.name}{of} was interrupted and has results that are not in the state yet: first let "
                    f"{name} end (xsync resume {name}, or xsync cancel {name}), or run the migration anew"
                )
        except JournalError:
            continue  # damaged or of another version: no run of this version goes on with it


def _check_not_newer(target: Path, archive: Archive, *, force: bool) -> None:
    if force or not (target / STATE).exists():
        return
    here = newest_fact(target, read_state(target))
    if here > archive.newest_ns:
        raise RefusedError(
            f"what is known here is newer ({_day(here)}) than the archive ({_day(archive.newest_ns)}): it would forget "
            "what was copied since, and a later run would copy that again. To do it nevertheless: --force"
        )


def _put_aside(target: Path) -> Path | None:
    if not target.exists():
        return None
    kept = target.with_name(f"{target.name}.before-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
    os.rename(target, kept)
    return kept


def _notes(archive: Archive) -> Iterator[str]:
    """What to say of both sides as they are here. Buckets are not asked: an archive is no reason to connect."""
    source = ("source", archive.source, archive.source_identity)
    for word, spec, was in (source, ("destination", archive.destination, archive.destination_identity)):
        if scheme_of(spec.url) != "file":
            yield f"The {word} is {spec.url}: a run that finds another bucket there does not use this state."
            continue
        now = _identity(spec)
        if now == was:
            yield f"The {word} {spec.url} is the same here."
            continue
        found = "cannot be reached here now" if now is None else f"is another here ({now}, it was {was})"
        yield f"The {word} {spec.url} {found}: a run that finds another {word} does not use this state."


def _identity(spec: LocationSpec) -> str | None:
    try:
        location = open_location(spec)
        try:
            return location.identity() if os.path.isdir(file_path(spec.url)) else None
        finally:
            location.close()
    except (XsyncError, LocationError, OSError):
        return None


def _day(ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(ns / 1e9))
