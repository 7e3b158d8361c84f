"""Deals the pieces of a dataset to agents, cutting finer until that is even, and makes tasks of the hands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.planning.partition.dealing import Whole, dealt, finished, shown
from engine.planning.partition.levels import deal_level, level_of
from engine.planning.partition.limits import oversized, parcels
from engine.planning.partition.merging import merged
from engine.planning.partition.pieces import Element, Piece, Pieces, load_of, total
from engine.planning.partition.tasks import EVEN, Balance, Partition, TaskLimits, TaskPlan
from engine.planning.values import FolderNode, NameGroup

AIM = EVEN / 2
"""Hands are cut until none is above an even share by more; what merging patterns moves has the other half."""

ROUNDS = 60


class Hand(NamedTuple):
    """What an agent gets. ``rest``: task 0 is among it."""

    pieces: tuple[Piece, ...]
    weight: int
    rest: bool


def partition(
    tree: Sequence[FolderNode],
    agents: int,
    knee_bytes: int,
    *,
    names: Mapping[bytes, Sequence[NameGroup]] | None = None,
    level: int | None = None,
    limits: TaskLimits | None = None,
) -> Partition:
    """Cut a tree into tasks for ``agents`` (>= 1) of even time, disjoint and covering whatever the source holds.

    A folder weighs bytes + ``knee_bytes`` * files: the knee is the size at which an agent's files/s and bytes/s bind
    alike. Pieces are dealt heaviest first to the agent with least so far (LPT: at most 4/3 of the best deal), and only
    where that leaves an agent above an even share the heaviest piece it has is cut: by its folders, or by the names in
    it where folders do not tell enough. Those are asked for as ``wide`` of the result; call again with ``names`` of
    them. ``level``: a task for each folder of that depth instead. ``limits``: of the service that is to run the tasks.
    What no pattern can name (not UTF-8) stays in task 0. The same input gives the same tasks.
    """
    if agents < 1:
        raise ValueError("partition needs at least one agent")
    if level is not None:
        return deal_level(level_of(tree, level), agents, knee_bytes, limits)
    pieces = Pieces(tree, names or {}, knee_bytes)
    if limits is not None:
        _fit(pieces, limits)
    dealt = _even(pieces, agents)
    most = max(_worst(dealt), (1 + AIM) * _whole(pieces) / agents)
    hands = merged(pieces, [_elements(hand) for hand in dealt], most, None if limits is None else limits.items)
    tasks = [
        _task(parcel, agent)
        for agent, elements in enumerate(hands)
        for parcel in parcels(sorted(elements, key=_by_path), limits)
    ]
    return _finished(pieces, tasks, hands, limits)


def deal_unknown(folders: Sequence[bytes], agents: int) -> Partition:
    """Deal top-level folders of which nothing is known evenly, by name, to ``agents`` (>= 1)."""
    nodes = [FolderNode(folder, 1, 0, 0, 0) for folder in folders]
    found = partition([FolderNode(b"", len(nodes), 0, 0, 0), *nodes], agents, 1)
    return found._replace(
        tasks=tuple(task._replace(files=None, bytes=None, entries=None) for task in found.tasks),
        balance=Balance(0.0, 0.0, 0),
        wide=(),
    )


def _even(pieces: Pieces, agents: int) -> list[Hand]:
    """The hands that are most even, cutting what the worst of them hold until they are even enough."""
    ideal = _whole(pieces) / agents
    best, as_dealt = _deal(pieces, agents), pieces.state
    for _ in range(ROUNDS):
        hands = _deal(pieces, agents)
        if _worst(hands) < _worst(best):
            best, as_dealt = hands, pieces.state
        heavy = [hand for hand in hands if hand.weight > (1 + AIM) * ideal]
        cuts = [_cut(pieces, hand, ideal) for hand in heavy]
        if not any(cuts):
            break
    pieces.state = as_dealt
    return best


def _cut(pieces: Pieces, hand: Hand, ideal: float) -> bool:
    """Cut the heaviest thing in a hand that can be cut; a piece too heavy by itself hides no lighter one."""
    rest = pieces.rest_load.weight(pieces.knee_bytes) if hand.rest else -1
    for piece in hand.pieces:
        if rest >= piece.weight and pieces.split_rest():
            return True
        if pieces.holds(piece) and pieces.split(piece, max(2, round(piece.weight / ideal))):
            return True
        if piece.weight > (1 + AIM) * ideal:
            return False
    return hand.rest and rest > AIM * ideal and pieces.split_rest()


def _deal(pieces: Pieces, agents: int) -> list[Hand]:
    """A hand for each agent; what is in no piece is dealt as one."""
    found = sorted(pieces.pieces, key=lambda piece: piece.elements[0].path)
    deal = dealt([piece.weight for piece in found], pieces.rest_load.weight(pieces.knee_bytes), agents)
    hands: list[list[Piece]] = [[] for _ in range(agents)]
    for index in sorted(range(len(found)), key=lambda index: -found[index].weight):
        hands[deal.agents[index]].append(found[index])
    return [Hand(tuple(hand), deal.loads[agent], agent == deal.holder) for agent, hand in enumerate(hands)]


def _fit(pieces: Pieces, limits: TaskLimits) -> None:
    """Cut what is too much for one task."""
    solid: set[Piece] = set()
    while large := [piece for piece in pieces.pieces if piece not in solid and oversized(piece, limits)]:
        for piece in large:
            if not pieces.split(piece, 2):
                solid.add(piece)
    while pieces.rest_load.entries > limits.items and pieces.split_rest():
        pass


def _finished(
    pieces: Pieces, tasks: list[TaskPlan], hands: Sequence[Sequence[Element]], limits: TaskLimits | None
) -> Partition:
    whole = Whole(load_of(pieces.nodes[b""]), pieces.rest, pieces.knee_bytes)
    return finished(
        whole,
        tasks,
        hands,
        [total(element.load for element in hand).weight(pieces.knee_bytes) for hand in hands],
        exclude=tuple(sorted(pattern for task in tasks for pattern in task.include)),
        limits=limits,
        wide=pieces.wide - pieces.by_name,
    )


def _task(elements: Sequence[Element], agent: int) -> TaskPlan:
    named = ", ".join(map(shown, elements[:2]))
    name = named if len(elements) <= 2 else f"{named} and {len(elements) - 2} more"
    include = tuple(element.pattern for element in elements)
    return TaskPlan(name, include, (), agent, *total(element.load for element in elements))


def _elements(hand: Hand) -> list[Element]:
    return [element for piece in hand.pieces for element in piece.elements]


def _by_path(element: Element) -> tuple[bytes, bool]:
    return element.path, element.is_open


def _whole(pieces: Pieces) -> int:
    return load_of(pieces.nodes[b""]).weight(pieces.knee_bytes) if b"" in pieces.nodes else 0


def _worst(hands: Sequence[Hand]) -> int:
    return max(hand.weight for hand in hands)
