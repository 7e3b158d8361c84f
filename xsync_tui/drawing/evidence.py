"""How well a figure is known, as a mark beside it and as a legend. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from engine.planning.values import Origin
from xsync_tui.drawing.rows import Canvas, Piece, Role, Row, width

_RANK = {"execution": 0, "test run": 0, "probe": 1, "survey": 1, "profile": 2, "default": 3}
_GLYPHS = (("●", "*"), ("◐", "~"), ("◇", "="), ("○", "?"))
_WORDS = ("measured", "probed", "stated", "default")


def mark(origin: Origin, canvas: Canvas) -> str:
    """One cell: measured, probed, stated in the profile, or a published default."""
    return _GLYPHS[_RANK[origin.kind]][0 if canvas.unicode else 1]


def word(origin: Origin) -> str:
    """The same in a word."""
    return _WORDS[_RANK[origin.kind]]


def weakest(origins: Iterable[Origin]) -> Origin:
    """The one that is known least; what rests on several is known no better."""
    return max(origins, key=lambda each: _RANK[each.kind])


def day(at: float, canvas: Canvas) -> str:
    """``14 May``."""
    moment = datetime.fromtimestamp(at, canvas.zone)
    return f"{moment.day} {moment:%b}"


def glyph_rows(canvas: Canvas) -> list[Row]:
    """What each mark means, for a screen's help."""
    return [
        (Piece(f" {glyph[0 if canvas.unicode else 1]}  {text}"),) for glyph, text in zip(_GLYPHS, _WORDS, strict=True)
    ]


def legend(origins: Iterable[Origin], canvas: Canvas) -> Row:
    """``rests on * execution 14 May  ~ survey 14 May  = profile  ? published defaults``: each kind once."""
    found: dict[str, Origin] = {}
    for each in sorted(origins, key=lambda each: (_RANK[each.kind], -(each.at or 0.0))):
        found.setdefault(each.kind, each)
    pieces = [Piece(" rests on", Role.MUTED)]
    for kind, origin in found.items():
        said = "published defaults" if kind == "default" else kind
        when = "" if origin.at is None else f" {day(origin.at, canvas)}"
        piece = Piece(f" {mark(origin, canvas)} {said}{when} ", Role.MUTED)
        if width((*pieces, piece)) <= canvas.width:
            pieces.append(piece)
    return tuple(pieces)
