"""Text from outside made safe to show: no control, invisible or direction-changing character reaches the terminal."""

from __future__ import annotations

import unicodedata
from itertools import accumulate

from rich.cells import cell_len

# Zs is absent on purpose: odd spaces are visible as spaces. Mn stays too: names in NFD need their accents.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
# Drawn as nothing although Unicode calls them letters or marks: grapheme joiner, Hangul fillers, blank Braille,
# Khmer inherent vowels, variation selectors.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for first, last in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF)) for code in range(first, last + 1)
}


def shown(text: str, cells: int | None = None, *, ascii_only: bool = False) -> str:
    """Return ``text`` fit for a terminal, at most ``cells`` wide, cut in the middle.

    C0, C1, DEL, bidi controls, zero-width and other invisible characters and surrogates become visible escapes:
    ``\\x1b``, ``\\u202e``, ``\\U000e0041``; a surrogate that stands for a byte of a file name becomes that byte,
    ``\\xff``. With ``ascii_only`` every other character beyond ASCII is escaped too. An escape is never cut in two
    unless it alone is wider than ``cells``.
    """
    pieces = [_visible(char, ascii_only) for char in text]
    if cells is None:
        return "".join(pieces)
    return _cut_middle(pieces, cells, "..." if ascii_only else "…")


def width_of(text: str) -> int:
    """Cells that ``text`` takes on a terminal."""
    return cell_len(text)


def cut_end(text: str, cells: int) -> str:
    """Return the longest start of safe ``text`` that fits into ``cells``."""
    if cell_len(text) <= cells:
        return text
    return "".join(_start([*text], cells))


def _visible(char: str, ascii_only: bool) -> str:
    if " " <= char <= "~":
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if ascii_only or char in _INVISIBLE or unicodedata.category(char) in _ESCAPED_CATEGORIES:
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return char


def _cut_middle(pieces: list[str], cells: int, mark: str) -> str:
    if sum(map(cell_len, pieces)) <= cells:
        return "".join(pieces)
    room = cells - cell_len(mark)
    if room < 2:
        return cut_end("".join(pieces), cells)
    tail = _start(pieces[::-1], room - room // 2)[::-1]
    head = _start(pieces[: len(pieces) - len(tail)], room - sum(map(cell_len, tail)))
    return "".join([*head, mark, *tail])


def _start(pieces: list[str], cells: int) -> list[str]:
    """The first ``pieces`` that fit into ``cells``; a wide character on the edge is left out."""
    fitting = sum(1 for total in accumulate(map(cell_len, pieces)) if total <= cells)
    return pieces[:fitting]
