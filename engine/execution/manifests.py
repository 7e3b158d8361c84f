"""Manifests as they were when an execution began: its resumes, retries and later agents copy what those say.

The file that a profile names may be written anew every night, also while a run of yesterday's is not over.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from engine.catalog.files import replacing
from engine.errors import JournalError, UsageError
from engine.filters import read_manifest
from engine.home import Home, private_folder
from engine.model import Migration


def with_frozen_manifest(migration: Migration, home: Home) -> Migration:
    """``migration`` with a copy of its manifest that never changes; the same copy for the same content.

    Raises UsageError if the manifest cannot be read or used, JournalError if it cannot be kept.
    """
    file = migration.filters.manifest
    if file is None or Path(file).parent == home.manifests:
        return migration
    read_manifest(file)  # what is wrong with it is said of the file that somebody can mend
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: the manifest cannot be read: {error.strerror}") from None
    digest = hashlib.blake2b(content, digest_size=12).hexdigest()
    kept = private_folder(home.manifests) / f"{digest}.csv"
    if not kept.exists():
        try:
            with replacing(kept) as out:
                out.write(content)
        except OSError as error:
            raise JournalError(f"{kept} cannot be written: {error.strerror}") from None
    return msgspec.structs.replace(migration, filters=msgspec.structs.replace(migration.filters, manifest=str(kept)))
