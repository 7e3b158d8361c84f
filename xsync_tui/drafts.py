"""Where drafts of migrations are kept: one file each, of this account alone; written whole or not at all. Blocking."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import JournalError
from engine.home import Home, prepare_home, private_folder
from xsync_tui.drafting import Draft, has_password

_ID = re.compile(r"[0-9a-f]{16}")


def new_draft(source: str = "") -> Draft:
    """An empty one, or of a source that is known."""
    return Draft(secrets.token_hex(8), source=source)


def save(draft: Draft) -> Path:
    """Keep it, but no URL with a password. Raises JournalError."""
    from engine.catalog.files import replacing

    texts = {key: text for key, text in msgspec.structs.asdict(draft).items() if isinstance(text, str)}
    clean: dict[str, Any] = {key: "" for key, text in texts.items() if has_password(text)}
    kept = msgspec.structs.replace(draft, **clean, saved_at=time.time())
    path = private_folder(prepare_home().drafts) / f"{draft.id}.json"
    try:
        with replacing(path) as file:
            path.with_name(f".{path.name}.aside").chmod(0o600)
            file.write(msgspec.json.format(msgspec.json.encode(kept)))
    except OSError as error:
        raise JournalError(f"{path}: the draft cannot be kept: {error.strerror}") from None
    except UnicodeEncodeError:
        raise JournalError("a draft with a name that is not UTF-8 cannot be kept, nor a profile") from None
    return path


def all_drafts(home: Home) -> list[Draft]:
    """All of them, the newest first; files that are no drafts are passed over."""
    found = []
    for path in home.drafts.glob("*.json"):
        try:
            draft = msgspec.json.decode(path.read_bytes(), type=Draft)
        except (OSError, msgspec.DecodeError):
            continue
        if draft.id == path.stem and _ID.fullmatch(draft.id):
            found.append(draft)
    return sorted(found, key=lambda each: -each.saved_at)


def delete(home: Home, draft_id: str) -> None:
    """Forget it. Raises JournalError."""
    try:
        (home.drafts / f"{draft_id}.json").unlink(missing_ok=True)
    except OSError as error:
        raise JournalError(f"The draft cannot be deleted: {error.strerror}") from None
