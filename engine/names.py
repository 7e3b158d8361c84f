"""Path bytes as object keys and as text: both reversible; and which names are never touched, never safe, or collide.

A path that is valid UTF-8 is its own key. In any other component each byte that is not UTF-8, and each byte of a
literal U+201B, becomes U+201B and two hex digits (the form rclone uses, so that both tools name an object alike).
"""

from __future__ import annotations

import re
from typing import Literal

from engine.errors import XsyncError

OWN_PREFIX = b".xsync-"
"""How the names of xsync's own files and objects begin: temporaries, canaries."""

_EXCLUDED_ANYWHERE = frozenset({b".snapshot", b".zfs"})
_EXCLUDED_AT_ROOT = frozenset({b".aws-datasync", b".awssync"})

_MARK = "\u201b"
_ESCAPED = re.compile(rf"{_MARK}([0-9A-F]{{2}})")
_TO_ESCAPE = re.compile(rf"[{_MARK}\udc80-\udcff]")

# Control characters, line and paragraph separators, invisible and bidirectional marks, lone surrogates, and the
# backslash that marks the escapes.
_UNPRINTABLE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\\\\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_TEXT_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([\\nrt]))")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_SHORT_BACK = {"n": b"\n", "r": b"\r", "t": b"\t", "\\": b"\\"}


BACKSLASH = "backslash in name"
BACKSLASH_DETAIL = r"the destination makes a / of \ in names"
"""Reason and detail of an entry that would land elsewhere."""


class NameError_(XsyncError):
    """A path cannot be stored; ``reason`` is the short code of the failure."""

    def __init__(self, reason: str, path: bytes, detail: str = "") -> None:
        super().__init__(f"{reason}: {text_of(path)}")
        self.reason = reason
        self.detail = detail


def key_of(path: bytes, invalid: Literal["escape", "fail"] = "escape") -> str:
    """The S3 key, without prefix, of ``path``; raises NameError_ for a name that is not UTF-8 under ``fail``."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        if invalid == "fail":
            raise NameError_("name not UTF-8", path) from None
        return "/".join(map(_escape, path.split(b"/")))


def path_of(key: str) -> bytes:
    """The path whose key is ``key``: the inverse of ``key_of``.

    A valid name that looks like an escaped one shares its key with that one (see ``twin_of``) and reads as it.
    """
    if _MARK not in key:
        return key.encode()
    return b"/".join(map(_unescape, key.split("/")))


def text_of(path: bytes) -> str:
    """``path`` for people, JSON and command lines: UTF-8 as it is, what cannot be shown as visible escapes.

    Bytes that are not UTF-8 and control characters become ``\\xff``, other invisible characters ``\\u202e``, a
    backslash ``\\\\``. ``path_of_text`` is the exact inverse.
    """
    return _UNPRINTABLE.sub(_visible, path.decode("utf-8", "surrogateescape"))


def visible(text: str) -> str:
    """``text`` with what cannot be shown as visible escapes; for showing only, as a backslash stays what it is."""
    return _UNPRINTABLE.sub(lambda match: match[0] if match[0] == "\\" else _visible(match), text)


def path_of_text(text: str) -> bytes:
    """The path whose ``text_of`` is ``text``; a backslash that begins no escape stands for itself."""
    pieces, position = [], 0
    for match in _TEXT_ESCAPE.finditer(text):
        pieces += [text[position : match.start()].encode("utf-8", "surrogateescape"), _bytes_of_escape(match)]
        position = match.end()
    pieces.append(text[position:].encode("utf-8", "surrogateescape"))
    return b"".join(pieces)


def check_key(key: str, limit: int) -> str | None:
    """Why a destination whose keys hold ``limit`` bytes of UTF-8 cannot hold ``key``, as a short code, or None.

    S3 holds 1,024 bytes. Empty, ``.`` and ``..`` segments are refused everywhere: servers merge or reject them.
    A trailing slash (a folder's marker) is no empty segment.
    """
    if len(key.encode()) > limit:
        return "key too long"
    if "\0" in key:
        return "NUL in name"
    segments = key.removesuffix("/").split("/")
    return "unsafe name" if not {"", ".", ".."}.isdisjoint(segments) else None


def is_excluded_name(name: bytes, at_root: bool) -> bool:
    """Whether one entry is always excluded by its own name; ``at_root``: it lies directly in the location's root."""
    return name in _EXCLUDED_ANYWHERE or name.startswith(OWN_PREFIX) or (at_root and name in _EXCLUDED_AT_ROOT)


def is_always_excluded(path: bytes) -> bool:
    """Whether ``path`` is, or lies below, what is never copied: snapshots, DataSync's folders, xsync's own objects."""
    if not path.startswith(b".") and b"/." not in path:
        return False
    first, *others = path.split(b"/")
    return is_excluded_name(first, True) or any(is_excluded_name(name, False) for name in others)


def is_safe_relative(path: bytes) -> bool:
    """Whether ``path`` (b"" is the root) stays inside whatever root it is joined to, and can name a file at all."""
    if not path:
        return True
    return b"\0" not in path and {b"", b".", b".."}.isdisjoint(path.split(b"/"))


def common_start(first: str, last: str) -> str:
    """How both begin; of the first and the last of sorted names, how all of them do."""
    shorter = min(len(first), len(last))
    return first[: next((index for index in range(shorter) if first[index] != last[index]), shorter)]


def twin_of(name: bytes) -> bytes | None:
    """The other name of an entry that has the same key; None if there can be none.

    There is at most one: a key is the form of one name that is not UTF-8, and a name itself.
    """
    key = _escape(name)
    return next((form for form in (key.encode(), _unescape(key)) if form != name), None)


def _escape(component: bytes) -> str:
    try:
        return component.decode()
    except UnicodeDecodeError:
        return _TO_ESCAPE.sub(_hex_escape, component.decode("utf-8", "surrogateescape"))


def _hex_escape(match: re.Match[str]) -> str:
    return "".join(f"{_MARK}{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))


def _unescape(component: str) -> bytes:
    pieces = _ESCAPED.split(component)
    decoded = b"".join(bytes.fromhex(piece) if index % 2 else piece.encode() for index, piece in enumerate(pieces))
    return decoded if _escape(decoded) == component else component.encode()


def _visible(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _bytes_of_escape(match: re.Match[str]) -> bytes:
    byte, short, long, letter = match.groups()
    if byte:
        return bytes.fromhex(byte)
    if letter:
        return _SHORT_BACK[letter]
    code = int(short or long, 16)
    return chr(code).encode("utf-8", "surrogatepass") if code < 0x110000 else match[0].encode()
