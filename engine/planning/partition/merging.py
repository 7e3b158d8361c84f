"""Says what each agent gets with few patterns: a folder for all that was cut from it, a prefix for many names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.names import common_start
from engine.planning.partition.pieces import Element, Load, Pieces, load_of, total


class _Owned(NamedTuple):
    """An element and its agent, or NOBODY: what lies below it has several."""

    element: Element
    agent: int


NOBODY = -1


def merged(
    pieces: Pieces, hands: Sequence[Iterable[Element]], most_weight: float, most_items: int | None
) -> list[list[Element]]:
    """The elements of each agent, folders whole where one agent has all that was cut from them.

    It then gets what is left in such a folder too, as long as that makes no hand heavier than ``most_weight`` and no
    element larger than ``most_items``.
    """
    inside: dict[bytes, list[_Owned]] = {folder: [] for folder in pieces.rest}
    for agent, hand in enumerate(hands):
        for element in hand:
            inside[element.folder].append(_Owned(element, agent))
    weights = [total(element.load for element in hand).weight(pieces.knee_bytes) for hand in hands]
    found: list[list[Element]] = [[] for _ in hands]
    for folder in sorted(inside, key=lambda path: (-path.count(b"/"), not path, path)):
        owned, agents = inside[folder], {each.agent for each in inside[folder]}
        node = pieces.nodes[folder]
        (agent,) = agents if len(agents) == 1 else (NOBODY,)
        left = pieces.rest[folder].weight(pieces.knee_bytes)
        fits = (not left or weights[agent] + left <= most_weight) and node.entries <= (most_items or node.entries)
        if folder and agent != NOBODY and fits:
            weights[agent] += left
            del pieces.rest[folder]
            inside[folder.rpartition(b"/")[0]].append(_Owned(Element(folder, False, load_of(node)), agent))
            continue
        for element, agent in _collapsed(owned, most_items) if folder in pieces.by_name else owned:
            if agent != NOBODY:
                found[agent].append(element)
        if folder:
            inside[folder.rpartition(b"/")[0]].append(_Owned(Element(folder, False, Load()), NOBODY))
    return found


def _collapsed(owned: Sequence[_Owned], most_items: int | None) -> list[_Owned]:
    """One element for all names that begin alike, where they have one agent and no other name begins like that."""
    if len(owned) < 2:
        return list(owned)
    names = [each.element.path.decode() for each in owned]
    start = common_start(min(names), max(names))
    load, agent = total(each.element.load for each in owned), owned[0].agent
    is_one = agent != NOBODY and all(each.agent == agent for each in owned)
    folder = owned[0].element.folder
    if is_one and len(start.encode()) > len(folder) + bool(folder) and load.entries <= (most_items or load.entries):
        return [_Owned(Element(start.encode(), True, load), agent)]
    groups: dict[str, list[_Owned]] = {}
    for name, each in zip(names, owned, strict=True):
        groups.setdefault(name[len(start) : len(start) + 1], []).append(each)
    return [each for key in sorted(groups) for each in _collapsed(groups[key], most_items)]
