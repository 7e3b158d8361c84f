"""The exact ledger: discovered = transferred + skipped + failed + excluded + pending, never rounded."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model import Tally
from engine.quantities import format_count


def ledger_rows(files: Tally, width: int) -> list[str]:
    """Return the ledger in the widest form that fits ``width`` cells: with verified, without, or one count a row.

    Should the sum ever not hold, its ``=`` reads ``!=``.
    """
    equals = "=" if files.pending >= 0 else "!="
    cells = [
        ("discovered", files.discovered, equals),
        ("transferred", files.transferred, "+"),
        ("skipped", files.skipped, "+"),
        ("failed", files.failed, "+"),
        ("excluded", files.excluded, "+"),
    ]
    pending, verified = ("pending", files.pending), ("verified", files.verified, "")
    for form in ([*cells, (*pending, "|"), verified], [*cells, (*pending, "")]):
        rows = _table(form)
        if len(rows[0]) <= width:
            return rows
    signs = ("", equals, "+", "+", "+", "+")
    counts = [*cells, (*pending, "")]
    return [f"{sign:>2} {name:<11} {format_count(n):>19}" for sign, (name, n, _) in zip(signs, counts, strict=True)]


def _table(cells: Sequence[tuple[str, int, str]]) -> list[str]:
    names, counts = "", ""
    for name, number, sign in cells:
        figure = format_count(number)
        width = max(len(name), len(figure))
        after = f" {sign} " if sign else ""
        names += f"{name:>{width}}{after}"
        counts += f"{figure:>{width}}" + (after if sign == "|" else " " * len(after))
    return [names, counts.rstrip()]
