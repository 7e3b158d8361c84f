"""A dataset in pieces that can be cut further: by the folders in a folder, or by the names in it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.errors import UsageError
from engine.filters import escape_pattern
from engine.planning.values import FolderNode, NameGroup

MOST_SIBLINGS = 100
"""More folders than these are cut by name instead of being listed one by one, if the names are known."""


class Load(NamedTuple):
    """What there is to do; ``entries``: of all kinds."""

    files: int = 0
    bytes: int = 0
    entries: int = 0

    def plus(self, other: Load) -> Load:
        """Both."""
        return Load(self.files + other.files, self.bytes + other.bytes, self.entries + other.entries)

    def minus(self, other: Load) -> Load:
        """This without ``other``, never below nothing."""
        pairs = zip(self, other, strict=True)
        return Load(*(max(0, own - others) for own, others in pairs))

    def weight(self, knee_bytes: int) -> int:
        """In bytes that take as long: a file costs as much as ``knee_bytes``."""
        return self.bytes + knee_bytes * self.files


class Element(NamedTuple):
    """A path with all below it; ``is_open``: every path that begins with it."""

    path: bytes
    is_open: bool
    load: Load

    @property
    def pattern(self) -> str:
        """What selects it, in DataSync's grammar."""
        return escape_pattern(self.path) + "*" if self.is_open else escape_pattern(self.path)

    @property
    def folder(self) -> bytes:
        """What it lies in."""
        return self.path.rpartition(b"/")[0]


class Piece(NamedTuple):
    """Elements of one folder that are dealt together, in order of name."""

    elements: tuple[Element, ...]
    weight: int


class State(NamedTuple):
    """How a tree is cut: see Pieces. ``pieces``: by the path of the first element."""

    pieces: dict[bytes, Piece]
    rest: dict[bytes, Load]
    by_name: frozenset[bytes]


class Pieces:
    """The pieces that a tree is cut into, disjoint, and what they leave over in the folders that were cut.

    It begins with the top-level folders. ``rest``: folder -> what lies in it but in no piece. ``wide``: folders that
    should be cut by name, whose names are not in ``names``.
    """

    def __init__(self, tree: Sequence[FolderNode], names: Mapping[bytes, Sequence[NameGroup]], knee_bytes: int) -> None:
        self.nodes = {node.path: node for node in tree}
        self.knee_bytes = knee_bytes
        self._pieces: dict[bytes, Piece] = {}
        self.rest: dict[bytes, Load] = {}
        self.by_name: set[bytes] = set()
        self.wide: set[bytes] = set()
        self._names = names
        self._children: dict[bytes, list[FolderNode]] = {}
        for node in tree:
            if node.path and can_be_named(node.path):
                self._children.setdefault(node.path.rpartition(b"/")[0], []).append(node)
        if len(self._children.get(b"", [])) <= MOST_SIBLINGS or not self._may_cut_by_name(b""):
            self._list(b"")
        else:
            self._cut_by_name(b"")

    @property
    def state(self) -> State:
        """How it is cut now; set it to undo what was cut since."""
        return State(dict(self._pieces), dict(self.rest), frozenset(self.by_name))

    @state.setter
    def state(self, state: State) -> None:
        self._pieces, self.rest, self.by_name = dict(state.pieces), dict(state.rest), set(state.by_name)

    @property
    def pieces(self) -> list[Piece]:
        """The pieces as they are now."""
        return list(self._pieces.values())

    def holds(self, piece: Piece) -> bool:
        """Whether a piece was not cut since."""
        return self._pieces.get(piece.elements[0].path) is piece

    @property
    def rest_load(self) -> Load:
        """What is in no piece."""
        return total(self.rest.values())

    def split(self, piece: Piece, parts: int) -> bool:
        """Replace a piece by several, about ``parts`` (>= 2) where it can be cut like that; False if it cannot be."""
        if len(piece.elements) > 1:
            self._replace(piece, self._runs(piece, parts))
            return True
        (element,) = piece.elements
        if element.is_open or element.path not in self.nodes:
            return False
        return self._open(piece, element.path)

    def split_rest(self) -> bool:
        """Cut by name the folder that leaves most over; False if none can be."""
        folders = [folder for folder in self.rest if folder not in self.by_name and self.rest[folder].files]
        for folder in sorted(folders, key=lambda folder: (-self.rest[folder].weight(self.knee_bytes), folder)):
            if self._may_cut_by_name(folder):
                below = folder + b"/" if folder else b""
                self._pieces = {path: piece for path, piece in self._pieces.items() if not path.startswith(below)}
                self.rest = {path: load for path, load in self.rest.items() if not path.startswith(below)}
                self._cut_by_name(folder)
                return True
        return False

    def _open(self, piece: Piece, folder: bytes) -> bool:
        children, whole = self._children.get(folder, []), load_of(self.nodes[folder])
        spare = whole.minus(total(map(load_of, children)))
        is_wide = 2 * spare.weight(self.knee_bytes) > whole.weight(self.knee_bytes) or len(children) > MOST_SIBLINGS
        if is_wide and self._may_cut_by_name(folder):
            self._replace(piece, [])
            self._cut_by_name(folder)
            return True
        if not children:
            return False
        self._replace(piece, [])
        self._list(folder)
        return True

    def _may_cut_by_name(self, folder: bytes) -> bool:
        """Whether the names in a folder are known; else they are asked for."""
        if folder not in self._names:
            self.wide.add(folder)
        return folder in self._names

    def _list(self, folder: bytes) -> None:
        children = self._children.get(folder, [])
        self._add([Element(child.path, False, load_of(child))] for child in children)
        if folder in self.nodes:
            self.rest[folder] = load_of(self.nodes[folder]).minus(total(map(load_of, children)))

    def _cut_by_name(self, folder: bytes) -> None:
        start = folder + b"/" if folder else b""
        elements = [
            Element(start + group.name, group.is_open, Load(group.files, group.bytes, group.entries))
            for group in self._names[folder]
        ]
        self.by_name.add(folder)
        self.rest[folder] = load_of(self.nodes[folder]).minus(total(element.load for element in elements))
        if elements:
            self._add([elements])

    def _runs(self, piece: Piece, parts: int) -> list[list[Element]]:
        """Even runs of neighbours; if one element outweighs all others, it alone and what is on either side of it."""
        weights = [element.load.weight(self.knee_bytes) for element in piece.elements]
        runs: list[list[Element]] = [[] for _ in range(parts)]
        before = 0
        for element, weight in zip(piece.elements, weights, strict=True):
            runs[min(parts - 1, (2 * before + weight) * parts // max(1, 2 * piece.weight))].append(element)
            before += weight
        found = [run for run in runs if run]
        if len(found) == 1:
            heaviest = max(range(len(weights)), key=weights.__getitem__)
            sides = (piece.elements[:heaviest], piece.elements[heaviest : heaviest + 1], piece.elements[heaviest + 1 :])
            found = [list(side) for side in sides if side]
        return found

    def _replace(self, piece: Piece, runs: Iterable[Sequence[Element]]) -> None:
        del self._pieces[piece.elements[0].path]
        self._add(runs)

    def _add(self, runs: Iterable[Sequence[Element]]) -> None:
        for elements in runs:
            weight = total(element.load for element in elements).weight(self.knee_bytes)
            self._pieces[elements[0].path] = Piece(tuple(elements), weight)


def load_of(node: FolderNode) -> Load:
    """A folder with all below it; it is an entry itself unless it is the root."""
    return Load(node.files, node.bytes, node.entries + bool(node.path))


def total(loads: Iterable[Load]) -> Load:
    """The sum."""
    files = size = entries = 0
    for load in loads:
        files, size, entries = files + load.files, size + load.bytes, entries + load.entries
    return Load(files, size, entries)


def can_be_named(path: bytes) -> bool:
    """Whether a pattern can select exactly this path."""
    try:
        escape_pattern(path)
    except UsageError:
        return False
    return True
