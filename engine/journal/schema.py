"""The tables of a journal, their version, and how a connection to one is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import engine
from engine.errors import JournalError, StorageFullError
from engine.home import JOURNAL_NAME

SCHEMA_VERSION = 2
"""Kept in ``PRAGMA user_version``; raised with every change of TABLES."""

BUSY_SECONDS = 10.0
"""How long a connection waits for another one's transaction, or for the recovery after a crash."""

# written_by is the same in every version: it is what the message about a wrong version is made from.
TABLES = """
CREATE TABLE written_by (xsync_version TEXT NOT NULL);
CREATE TABLE execution (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id TEXT NOT NULL, migration TEXT NOT NULL,
    source_identity TEXT NOT NULL, destination_identity TEXT NOT NULL, state_version INTEGER NOT NULL,
    status TEXT NOT NULL, message TEXT NOT NULL,
    started_at REAL NOT NULL, ended_at REAL, heartbeat_at REAL NOT NULL, eta_low REAL, eta_high REAL,
    limit_rate REAL, limit_until REAL, limit_chosen INTEGER NOT NULL DEFAULT 0,
    pid INTEGER NOT NULL, host TEXT NOT NULL, boot_id TEXT NOT NULL, user TEXT NOT NULL);
CREATE TABLE tasks (position INTEGER PRIMARY KEY, plan TEXT NOT NULL, live TEXT NOT NULL);
CREATE TABLE agents (name TEXT PRIMARY KEY, snapshot TEXT NOT NULL, joined_at REAL NOT NULL, ended_at REAL);
CREATE TABLE segments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL CHECK (kind IN ('entries', 'results')),
    file TEXT NOT NULL UNIQUE, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, info TEXT NOT NULL);
CREATE TABLE totals (task INTEGER PRIMARY KEY, totals TEXT NOT NULL);
CREATE TABLE intents (path BLOB PRIMARY KEY, created_at REAL NOT NULL, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE uploads (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL, upload_id TEXT NOT NULL,
    identity TEXT NOT NULL, part_size INTEGER NOT NULL, opened_at REAL NOT NULL);
CREATE TABLE parts (
    upload INTEGER NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL, size INTEGER NOT NULL, checksum INTEGER NOT NULL, etag TEXT NOT NULL,
    PRIMARY KEY (upload, number)) WITHOUT ROWID;
CREATE TABLE samples (
    level INTEGER NOT NULL, slot INTEGER NOT NULL, at REAL NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL,
    files_per_second REAL NOT NULL, bytes_per_second REAL NOT NULL, PRIMARY KEY (level, slot)) WITHOUT ROWID;
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE failures (id INTEGER PRIMARY KEY, path TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE failure_counts (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT, asked_at REAL NOT NULL, who TEXT NOT NULL, verb TEXT NOT NULL,
    arguments TEXT NOT NULL, acknowledged_at REAL, outcome TEXT);
"""

HISTORY_TABLES = """
CREATE TABLE IF NOT EXISTS agent_names (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS agent_rates (
    level INTEGER NOT NULL, slot INTEGER NOT NULL, looks INTEGER NOT NULL, rates BLOB NOT NULL,
    PRIMARY KEY (level, slot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS estimates (
    at REAL PRIMARY KEY, low REAL NOT NULL, high REAL NOT NULL, bytes_per_second REAL NOT NULL) WITHOUT ROWID;
"""
"""What only pictures are drawn from. A journal may lack them: whoever opens it for writing adds them, and whoever reads
finds nothing; an xsync that does not know them takes no notice. So they need no other version."""


SUCCESSION_TABLE = """
CREATE TABLE IF NOT EXISTS succession (
    execution TEXT PRIMARY KEY, newer INTEGER NOT NULL CHECK (newer IN (0, 1))) WITHOUT ROWID
"""
"""Executions whose place this one takes (``newer`` 0), and the one that took its own (1). It may lack, too."""


AGREEMENTS_TABLE = """
CREATE TABLE IF NOT EXISTS agreements (
    until REAL PRIMARY KEY, bytes_per_second INTEGER NOT NULL, limits TEXT NOT NULL) WITHOUT ROWID
"""
"""Limits that were agreed before the migration was given others, and until when. It may lack, too."""


def make_tables(path: Path) -> None:
    """Create an empty journal in the file ``path``, which exists and is empty. Whoever gives it its name syncs it."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(
            f"BEGIN;{TABLES}{HISTORY_TABLES}{SUCCESSION_TABLE};{AGREEMENTS_TABLE};"
            f"PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
        )
        db.execute("INSERT INTO written_by VALUES (?)", (engine.__version__,))
        db.execute("PRAGMA journal_mode = WAL")
    finally:
        db.close()


def add_later_tables(db: sqlite3.Connection) -> None:
    """Give a journal of an earlier xsync what it lacks; leaves the transaction to the caller, who has begun one."""
    for statement in (*HISTORY_TABLES.split(";"), SUCCESSION_TABLE, AGREEMENTS_TABLE):
        db.execute(statement)


def has_history(db: sqlite3.Connection) -> bool:
    """Whether HISTORY_TABLES are there."""
    names = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('agent_rates', 'estimates')"
    return bool(db.execute(names).fetchone()[0] == 2)


def has_succession(db: sqlite3.Connection) -> bool:
    """Whether SUCCESSION_TABLE is there."""
    return _has(db, "succession")


def has_agreements(db: sqlite3.Connection) -> bool:
    """Whether AGREEMENTS_TABLE is there."""
    return _has(db, "agreements")


def has_all(db: sqlite3.Connection) -> bool:
    """Whether all tables are there that came later than the others."""
    return has_history(db) and has_succession(db) and has_agreements(db)


def _has(db: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return db.execute(query, (table,)).fetchone() is not None


def connect(folder: Path, mode: Literal["ro", "rw"], *, any_thread: bool = False) -> sqlite3.Connection:
    """Open the journal of the execution in ``folder``, checking its version; transactions are the caller's.

    Raises JournalError if there is none, it is damaged, or another version of xsync is needed.
    """
    path = folder / JOURNAL_NAME
    if not path.exists():
        raise JournalError(f"There is no journal in {folder}.")
    with translated(path):
        db = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_SECONDS,
            check_same_thread=not any_thread,
        )
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            _check_version(db, path)
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into JournalError, or StorageFullError, that name the file."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            text = f"The disk is full: {path} cannot be written. Free space there; nothing recorded is lost."
            raise StorageFullError(text) from error
        raise JournalError(f"The journal {path} cannot be used: {error}.") from error


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found == SCHEMA_VERSION:
        return
    has_author = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'written_by'").fetchone()[0]
    if not has_author:
        raise JournalError(f"{path} is not a journal of xsync.")
    (author,) = db.execute("SELECT xsync_version FROM written_by").fetchone()
    needed = f"xsync {author} or later" if found > SCHEMA_VERSION else f"xsync {author}"
    raise JournalError(
        f"{path} was written by xsync {author} (journal version {found}); this is xsync {engine.__version__}, which "
        f"reads version {SCHEMA_VERSION}. Use {needed} for this execution."
    )


def storable(text: str) -> str:
    """``text`` with what UTF-8 cannot hold (lone surrogates in a message of the system) made visible."""
    return text.encode("utf-8", "backslashreplace").decode()
