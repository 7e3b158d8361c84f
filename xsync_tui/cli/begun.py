"""What a run has to do with interrupted ones, in words: which it continues, which not and why, what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.execution.listed_before import words

if TYPE_CHECKING:
    from engine.execution.earlier import Earlier, Left
    from engine.execution.launch import Launched


def begun_lines(launched: Launched) -> list[str]:
    """Sentences for a run that has begun."""
    lines = [continued_words(launched.execution, launched.changed)] if launched.continued else []
    if launched.listed is not None:
        said = words(launched.listed)
        lines.append(f"{said[:1].upper()}{said[1:]}.")
    return lines + [left_words(each) for each in launched.left]


def ahead_words(earlier: Earlier) -> str:
    """What a run would do, in sentences, before it begins; empty if no execution was interrupted."""
    words = [] if earlier.continues is None else [continued_words(earlier.continues.name, earlier.changed)]
    return " ".join([*words, *(left_words(each) for each in earlier.left)])


def continued_words(execution: str, changed: Iterable[tuple[str, str]]) -> str:
    """``Continues X, which was interrupted, now with limit 250 MB/s: finished files are not sent again.``"""
    said = [words for _, words in changed]
    now = f", now with {' and '.join(filter(None, (', '.join(said[:-1]), said[-1])))}" if said else ""
    return f"Continues {execution}, which was interrupted{now}: finished files are not sent again."


def left_words(left: Left) -> str:
    """``Does not continue X, which was interrupted: filters.exclude differs. It is superseded: ...``"""
    verb = "differs" if len(left.differs) == 1 else "differ"
    why = f"{', '.join(left.differs)} {verb}" if left.differs else "another run came between"
    start = f"Does not continue {left.execution}, which was interrupted: {why}."
    if left.superseded:
        return (
            f"{start} It is superseded, and cannot be resumed any more: what it had copied counts, and the uploads it "
            "had open are used or discarded."
        )
    of = f"of {left.profile}" if left.profile else "of no profile"
    return f"{start} It is {of} and stays as it is: xsync resume {left.execution}"
