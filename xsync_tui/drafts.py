"""Where drafts of migrations are kept: one file each, of this account alone; written whole or not at all. Blocking."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import JournalError, XsyncError
from engine.home import Home, prepare_home
from engine.records import Records
from xsync_tui.drafting import Draft, has_password


def new_draft(source: str = "") -> Draft:
    """An empty one, or of a source that is known."""
    return Draft(secrets.token_hex(8), source=source)


def save(draft: Draft) -> Path:
    """Keep it, but no URL with a password. Raises JournalError."""
    texts = {key: text for key, text in msgspec.structs.asdict(draft).items() if isinstance(text, str)}
    clean: dict[str, Any] = {key: "" for key, text in texts.items() if has_password(text)}
    home = prepare_home()
    path = home.drafts / f"{draft.id}.json"
    try:
        _records(home).write(draft.id, msgspec.structs.replace(draft, **clean, saved_at=time.time()))
        path.chmod(0o600)
    except OSError as error:
        raise JournalError(f"{path}: the draft cannot be kept: {error.strerror}") from None
    except UnicodeEncodeError:
        raise JournalError("a draft with a name that is not UTF-8 cannot be kept, nor a profile") from None
    return path


def all_drafts(home: Home) -> list[Draft]:
    """All of them, the newest first; files that are no drafts are passed over."""
    found = []
    records = _records(home)
    for name in records.names():
        with suppress(XsyncError):
            draft = records.read(name, "")
            if draft is not None and draft.id == name:
                found.append(draft)
    return sorted(found, key=lambda each: -each.saved_at)


def delete(home: Home, draft_id: str) -> None:
    """Forget it. Raises JournalError."""
    try:
        _records(home).forget(draft_id)
    except OSError as error:
        raise JournalError(f"The draft cannot be deleted: {error.strerror}") from None


def _records(home: Home) -> Records[Draft]:
    return Records(home.drafts, Draft)
