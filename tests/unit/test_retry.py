"""What a retry is made of: the frozen migration, restricted to what failed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import home
from engine.catalog.audit import FILES_SCHEMA
from engine.errors import RefusedError, UsageError, XsyncError
from engine.execution.retry import prepare_retry
from engine.filters import read_only
from engine.journal.reader import read_identities, read_migration
from engine.journal.writer import Journal
from engine.model import Retry, Status
from tests.unit.cli_journals import DONE, TOTALS, alive, make_execution


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    return tmp_path


def ended(rows: list[tuple[bytes, bytes, str, str, str]]) -> Path:
    """An execution that ended with this audit trail: dir, name, kind, action, reason."""
    folder = make_execution("lab", Status.ERROR, totals=DONE)
    with Journal.open(folder) as journal:
        journal.set_identities("file source", "s3 destination")
    names = ("dir", "name", "kind", "action", "reason")
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=FILES_SCHEMA)
    pq.write_table(table, folder / "files.parquet")
    return folder


def test_it_covers_what_failed_between_the_same_two_sides() -> None:
    earlier = ended(
        [
            (b"", b"a", "file", "failed", "unreadable"),
            (b"d", b"\xff", "symlink", "failed", "changed while read"),
            (b"d", b"folder", "folder", "failed", "destination not writable"),
            (b"d/hidden", b"", "folder", "failed", "folder not listed"),
            (b"d", b"fine", "file", "transferred", ""),
            (b"d", b"kept", "file", "not_deleted", "denied"),
        ]
    )
    prepared = prepare_retry(earlier)
    assert prepared is not None
    assert prepared.covers == Retry(earlier.name, files=2, folders=2)
    migration = read_migration(prepared.folder)
    assert read_identities(prepared.folder) == ("file source", "s3 destination")
    assert read_only(str(migration.filters.only)) == (
        frozenset({b"a", b"d/\xff", b"d/folder"}),
        frozenset({b"d/hidden"}),
    )
    options = migration.options
    assert (options.preserve_deleted_files, options.delta, options.drift_every) == ("PRESERVE", "state", 0)
    before = read_migration(earlier)
    unrestricted = msgspec.structs.replace(migration, filters=before.filters, options=before.options, retry=None)
    assert unrestricted == before


def test_nothing_failed_leaves_nothing_behind() -> None:
    earlier = ended([(b"", b"a", "file", "transferred", "")])
    assert prepare_retry(earlier) is None
    assert list(home.find_home().executions.iterdir()) == [earlier]


def test_what_cannot_be_retried_yet_is_refused() -> None:
    folder = ended([(b"", b"a", "file", "failed", "unreadable")])
    with alive(folder), pytest.raises(RefusedError, match="is running"):
        prepare_retry(folder)
    with pytest.raises(UsageError, match="xsync resume"):
        prepare_retry(make_execution("open", Status.INTERRUPTED, totals=TOTALS))
    (folder / "files.parquet").unlink()
    with pytest.raises(XsyncError, match="is missing"):
        prepare_retry(folder)
