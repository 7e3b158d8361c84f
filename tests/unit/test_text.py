"""Text from outside is safe to print, and never wider than it may be."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsync_tui.text import cut_end, shown, width_of

_ANY_TEXT = st.text(st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name.txt", "plain name.txt"),
        ("title\x1b]0;owned\x07", "title\\x1b]0;owned\\x07"),
        ("\x1b[2Jcleared", "\\x1b[2Jcleared"),
        ("two\nlines\tand\rmore", "two\\x0alines\\x09and\\x0dmore"),
        ("del\x7f c1\x9b2J", "del\\x7f c1\\x9b2J"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("zero\u200bwidth\u200d\ufeff\u2060", "zero\\u200bwidth\\u200d\\ufeff\\u2060"),
        ("soft\xadhyphen", "soft\\xadhyphen"),
        ("line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029"),
        ("blank\u2800filler\u3164\ufe0f", "blank\\u2800filler\\u3164\\ufe0f"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("latin-1 \udce9\udcff", "latin-1 \\xe9\\xff"),
        ("lone \ud800", "lone \\ud800"),
        ("Zürich 細胞 e\u0301", "Zürich 細胞 e\u0301"),
        ("markup [/foo] [bold]", "markup [/foo] [bold]"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_could_act_on_the_terminal_becomes_visible(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_ascii_only_escapes_whatever_else_the_terminal_cannot_show() -> None:
    assert shown("Zürich 細 \U0001f600", ascii_only=True) == "Z\\xfcrich \\u7d30 \\U0001f600"
    assert shown("Zürich " * 5, 12, ascii_only=True) == "Z...rich "


@pytest.mark.parametrize(
    ("text", "cells", "expected"),
    [
        ("2023/May/scan.svs", 17, "2023/May/scan.svs"),
        ("2023/May/scan.svs", 11, "2023/…n.svs"),
        ("細胞細胞細胞", 12, "細胞細胞細胞"),
        ("細胞細胞細胞", 8, "細…細胞"),
        ("abcdef", 2, "ab"),
        ("abcdef", 0, ""),
        ("a\x1b\x1b\x1b\x1bz", 9, "a\\x1b…z"),
    ],
)
def test_it_is_cut_in_the_middle_by_cells(text: str, cells: int, expected: str) -> None:
    assert shown(text, cells) == expected
    assert width_of(shown(text, cells)) <= cells


@given(_ANY_TEXT, st.integers(0, 30), st.booleans())
def test_nothing_dangerous_is_left_and_the_width_holds(text: str, cells: int, ascii_only: bool) -> None:
    whole, short = shown(text, ascii_only=ascii_only), shown(text, cells, ascii_only=ascii_only)
    assert width_of(short) <= cells
    assert (short == whole) == (width_of(whole) <= cells)
    for char in whole:
        assert unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
    assert whole.isascii() or not ascii_only
    assert shown(whole, ascii_only=ascii_only) == whole


@given(_ANY_TEXT, st.integers(0, 30))
def test_cutting_the_end_keeps_the_longest_start_that_fits(text: str, cells: int) -> None:
    whole = shown(text)
    start = cut_end(whole, cells)
    assert whole.startswith(start)
    assert width_of(start) <= cells
    assert start == whole or width_of(whole[: len(start) + 1]) > cells
