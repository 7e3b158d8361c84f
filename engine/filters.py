"""DataSync's filter grammar and manifests: which paths belong to the dataset.

A pattern is compared with ``/`` + path, case sensitive; ``|`` separates patterns; a match covers the entry and
everything below it. ``/dir`` and ``/dir/`` are anchored at the location's root; ``dir`` matches at any depth. ``*``
stands for any characters, slashes too: last in an include, first and/or last in an exclude. A backslash makes the
next character literal, at the end it is ignored. Exclude beats include. The grammar is that of the DataSync user
guide (filtering, FilterRule); that ``\\*`` is a literal star is ours.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from engine.errors import UsageError
from engine.model import Fate, FilterSpec
from engine.names import is_always_excluded, is_safe_relative, text_of

Rule = Literal["include", "exclude"]

_TOKEN = re.compile(r"\\.|[^\\]|\\$", re.DOTALL)
_MANIFEST_PATH_LIMIT = 4096  # characters, as DataSync's manifests have it


class Pattern(NamedTuple):
    """One pattern: its literal bytes, whether it begins at the root, and where a ``*`` stood."""

    body: bytes
    anchored: bool
    star_before: bool
    star_after: bool


def split_patterns(text: str) -> tuple[str, ...]:
    """The patterns of a filter string, cut at every ``|`` that is not escaped; escapes stay as they are."""
    patterns, current = [], ""
    for token in _TOKEN.findall(text):
        if token == "|":
            patterns.append(current)
            current = ""
        else:
            current += token
    return (*patterns, current)


def parse_pattern(text: str, rule: Rule) -> Pattern:
    """Read one pattern; raises UsageError that names the pattern and the rule it breaks."""
    tokens: list[str] = _TOKEN.findall(text)
    after = tokens[-1:] == ["*"]
    before = tokens[:1] == ["*"] and (len(tokens) > 1 or rule == "exclude")
    middle = tokens[before : len(tokens) - after]
    if not text or "\0" in text:
        raise UsageError(f"{rule} pattern {text!r}: expected at least one character and no NUL")
    if "|" in tokens:
        raise UsageError(f"{rule} pattern {text!r}: write \\| for a pipe in a name")
    if "*" in middle or (before and rule == "include"):
        allowed = "only at its end" if rule == "include" else "only at its start and end"
        raise UsageError(f"{rule} pattern {text!r}: * may stand {allowed}; write \\* for a star in a name")
    body = "".join(token[-1] for token in middle if token != "\\").encode("utf-8", "surrogateescape")
    if not (body or before or after):
        raise UsageError(f"{rule} pattern {text!r} names nothing")
    return Pattern(body, not before and body.startswith(b"/"), before, after)


def escape_pattern(path: bytes) -> str:
    """The anchored pattern that matches exactly ``path`` and what lies below it.

    Raises UsageError for a path that no pattern can name: not UTF-8, with NUL, or the root.
    """
    try:
        text = path.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{text_of(path)}: a name that is not UTF-8 cannot be written as a pattern") from None
    if not text or "\0" in text:
        raise UsageError(f"{text!r} cannot be written as a pattern")
    return "/" + re.sub(r"[\\|*]", r"\\\g<0>", text)


class Filters:
    """Decides which entries belong to the dataset; compiled once, pickles as its FilterSpec.

    The root is always a candidate. A folder is one exactly when it is entered, so what leads to a selected file keeps
    its owner, mode and times, and a pruned subtree is one excluded folder. Raises UsageError for a bad pattern or
    manifest.
    """

    def __init__(self, spec: FilterSpec) -> None:
        self.spec = spec
        self._include = _PatternSet(_parse_all(spec.include, "include")) if spec.include else None
        self._exclude = _PatternSet(_parse_all(spec.exclude, "exclude")) if spec.exclude else None
        self._listed = read_manifest(spec.manifest) if spec.manifest is not None else None
        self._leading = _parents(self._listed) if self._listed is not None else frozenset()
        self._only = _Only(*read_only(spec.only)) if spec.only is not None else None

    def __reduce__(self) -> tuple[type[Filters], tuple[FilterSpec]]:
        return (Filters, (self.spec,))

    def fate(self, path: bytes, is_folder: bool) -> Fate:
        """CANDIDATE or EXCLUDED for the entry at ``path``, whatever became of its parents."""
        selected = self.enters(path) if is_folder else self._selects(path)
        return Fate.CANDIDATE if selected else Fate.EXCLUDED

    def enters(self, path: bytes) -> bool:
        """Whether folder ``path`` can hold candidates; False prunes it without listing."""
        if not path:
            return True
        if self._refuses(path) or (self._listed is not None and path not in self._leading):
            return False
        if self._only is not None and not self._only.reaches(path):
            return False
        return self._include is None or self._include.reaches(path)

    def trivial(self, folder: bytes) -> bool:
        """True if no pattern and no manifest excludes anything at any depth below ``folder``.

        What ``names.is_always_excluded`` names can lie anywhere and stays to be asked.
        """
        return (
            self._listed is None
            and (self._only is None or self._only.whole(folder))
            and (self._exclude is None or not self._exclude.reaches(folder))
            and (self._include is None or self._include.covers_below(folder))
        )

    def named(self) -> frozenset[bytes]:
        """The paths that the manifest lists, without those that other rules leave out."""
        return frozenset(path for path in self._listed or () if self._selects(path))

    def counts(self, folder: bytes) -> bool:
        """Whether what is excluded directly in ``folder`` is counted: it is not beside a list of paths."""
        return self._only is None or self._only.whole(folder)

    def _selects(self, path: bytes) -> bool:
        if self._refuses(path) or (self._listed is not None and path not in self._listed):
            return False
        if self._only is not None and not self._only.holds(path):
            return False
        return self._include is None or self._include.covers(path)

    def _refuses(self, path: bytes) -> bool:
        return is_always_excluded(path) or (self._exclude is not None and self._exclude.covers(path))


def only_record(path: bytes, *, whole: bool) -> bytes:
    """A path as a list of FilterSpec.only has it; ``whole``: with everything below it. It holds any bytes but NUL."""
    return (b"+" if whole else b"=") + path + b"\0"


def read_only(file: str) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """The single paths and the whole folders of a list of ``only_record``s. Raises UsageError."""
    try:
        with open(file, "rb") as stream:
            records = stream.read().split(b"\0")
    except OSError as error:
        raise UsageError(f"{file}: the list of paths cannot be read: {error.strerror}") from None
    if records.pop() or not all(record[:1] in (b"=", b"+") for record in records):
        raise UsageError(f"{file}: not a list of paths of xsync, or cut short")
    single = frozenset(record[1:] for record in records if record[:1] == b"=")
    return single, frozenset(record[1:] for record in records if record[:1] == b"+")


def read_manifest(file: str) -> frozenset[bytes]:
    """The paths a DataSync manifest lists: UTF-8 CSV, one ``path[,version]`` a line, no header.

    Raises UsageError that names file and line for: unreadable, empty, not UTF-8, badly quoted, a folder, a wildcard,
    stray spaces, a path that is absolute, too long or leaves the source, a duplicate, a version (not available yet).
    """
    paths: dict[bytes, int] = {}
    for line, fields in _manifest_rows(file):
        problem = _manifest_problem(fields)
        if problem:
            raise UsageError(f"{file}, line {line}: {problem}")
        path = fields[0].encode()
        first = paths.setdefault(path, line)
        if first != line:
            raise UsageError(f"{file}, line {line}: {text_of(path)} is listed twice, first in line {first}")
    if not paths:
        raise UsageError(f"{file}: the manifest lists no file")
    return frozenset(paths)


def _manifest_rows(file: str) -> Iterator[tuple[int, list[str]]]:
    line = 1
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            for fields in reader:
                yield line, fields
                line = reader.line_num + 1
    except OSError as error:
        raise UsageError(f"{file}: the manifest cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}, line {line} or after: expected UTF-8 text") from None
    except csv.Error as error:
        raise UsageError(f"{file}, line {line}: not a valid CSV line: {error}") from None


def _manifest_problem(fields: list[str]) -> str | None:
    if not fields or not fields[0]:
        return "empty: expected path[,version]"
    if len(fields) > 2:
        return f"{len(fields)} fields: expected path[,version]; quote a path that holds a comma"
    path = fields[0]
    if len(fields) == 2:
        return "object versions are not available yet in this version of xsync"
    if path != path.strip():
        return f"{path!r} begins or ends with a space"
    if path.endswith("/"):
        return f"{path!r} is a folder: a manifest lists files only"
    if "*" in path:
        return f"{path!r} holds a wildcard: a manifest lists full paths"
    if len(path) > _MANIFEST_PATH_LIMIT:
        return f"the path has {len(path):,} characters: at most {_MANIFEST_PATH_LIMIT:,} are allowed"
    if not is_safe_relative(path.encode()):
        return f"{path!r}: expected a path relative to the source, without a leading slash, empty parts, . or .."
    return None


def _parents(paths: Iterable[bytes]) -> frozenset[bytes]:
    found: set[bytes] = {b""}
    for path in paths:
        parent = path.rpartition(b"/")[0]
        while parent not in found:
            found.add(parent)
            parent = parent.rpartition(b"/")[0]
    return frozenset(found)


def _parse_all(texts: Iterable[str], rule: Rule) -> list[Pattern]:
    return [parse_pattern(pattern, rule) for text in texts for pattern in split_patterns(text)]


class _PatternSet:
    """Patterns as sorted stems: a lookup costs a bisection for the anchored ones and a search for each floating one.

    ``whole`` stems end in a slash and are compared with ``/path/``; ``open`` stems came from a trailing star and are
    compared with ``/path``. Floating ones may begin anywhere, so they are searched for instead.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        whole: list[bytes] = []
        open_: list[bytes] = []
        floating_whole: list[bytes] = []
        floating_open: list[bytes] = []
        for body, anchored, star_before, star_after in patterns:
            stem = body if anchored or star_before else b"/" + body
            if star_after:
                (open_ if anchored else floating_open).append(stem)
            else:
                (whole if anchored else floating_whole).append(stem.rstrip(b"/") + b"/")
        self._whole = _prefix_free(whole)
        self._open = _prefix_free(open_)
        self._floating_whole = tuple(set(floating_whole))
        self._floating_open = tuple(set(floating_open))

    def covers(self, path: bytes) -> bool:
        """Whether a pattern matches ``path`` itself, and so everything below it."""
        text = b"/" + path
        return self._matches(text, text + b"/")

    def covers_below(self, folder: bytes) -> bool:
        """Whether a pattern matches everything below ``folder``, if not the folder itself (``/dir/*``)."""
        closed = _closed(folder)
        return self._matches(closed, closed)

    def reaches(self, folder: bytes) -> bool:
        """Whether a pattern can match something below ``folder``."""
        if self._floating_whole or self._floating_open or self.covers_below(folder):
            return True
        closed = _closed(folder)
        return _any_below(self._whole, closed) or _any_below(self._open, closed)

    def _matches(self, text: bytes, closed: bytes) -> bool:
        # Loops, not any(): this runs once a file, and a generator costs more than the searches.
        for stem in self._floating_whole:
            if stem in closed:
                return True
        for stem in self._floating_open:
            if stem in text:
                return True
        return _has_prefix(self._whole, closed) or _has_prefix(self._open, text)


class _Only:
    """Single paths and whole folders, and what leads to them."""

    def __init__(self, single: frozenset[bytes], folders: frozenset[bytes]) -> None:
        self._single = single
        self._folders = folders
        self._leading = _parents(single | folders)

    def reaches(self, folder: bytes) -> bool:
        return folder in self._leading or folder in self._single or self.whole(folder)

    def holds(self, path: bytes) -> bool:
        return path in self._single or self.whole(path)

    def whole(self, path: bytes) -> bool:
        """Whether ``path`` is one of the whole folders or lies below one."""
        if not self._folders:
            return False
        while path and path not in self._folders:
            path = path.rpartition(b"/")[0]
        return path in self._folders


def _closed(folder: bytes) -> bytes:
    return b"/" + folder + b"/" if folder else b"/"


def _prefix_free(stems: Iterable[bytes]) -> tuple[bytes, ...]:
    """Sorted, without stems that another stem begins: then only the last one <= text can be a prefix of text."""
    kept: list[bytes] = []
    for stem in sorted(stems):
        if not kept or not stem.startswith(kept[-1]):
            kept.append(stem)
    return tuple(kept)


def _has_prefix(stems: tuple[bytes, ...], text: bytes) -> bool:
    if not stems:
        return False
    index = bisect_right(stems, text)
    return index > 0 and text.startswith(stems[index - 1])


def _any_below(stems: tuple[bytes, ...], closed: bytes) -> bool:
    index = bisect_left(stems, closed)
    return index < len(stems) and stems[index].startswith(closed)
