"""Deals weights to agents, heaviest first, and says what came of it: task 0, how even it is, and why not more. Pure."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.names import text_of
from engine.planning.partition.limits import warnings_of
from engine.planning.partition.pieces import Element, Load
from engine.planning.partition.tasks import EVEN, EVERYTHING_ELSE, Balance, Partition, TaskLimits, TaskPlan


class Deal(NamedTuple):
    """The agent of each weight, who holds the rest, and what each agent has."""

    agents: list[int]
    holder: int
    loads: list[int]


class Whole(NamedTuple):
    """All that is dealt, what of it no task names by the folder it lies in, and what a file weighs."""

    load: Load
    rest: Mapping[bytes, Load]
    knee_bytes: int


def dealt(weights: Sequence[int], rest: int, agents: int) -> Deal:
    """Heaviest first to the agent with least so far (LPT); of equal weights as given, the rest after them."""
    order = sorted(range(len(weights)), key=lambda index: -weights[index])
    order.insert(bisect_right(order, -rest, key=lambda index: -weights[index]), -1)
    found, holder = [0] * len(weights), 0
    hands = [(0, 0, agent) for agent in range(agents)]
    for index in order:
        load, count, agent = hands[0]
        if index < 0:
            holder = agent
            heapq.heapreplace(hands, (load + rest, count + 1, agent))
        else:
            found[index] = agent
            heapq.heapreplace(hands, (load + weights[index], count + 1, agent))
    loads = {agent: load for load, _, agent in hands}
    return Deal(found, holder, [loads[agent] for agent in range(agents)])


def finished(
    whole: Whole,
    tasks: Sequence[TaskPlan],
    hands: Sequence[Sequence[Element]],
    weights: Sequence[int],
    *,
    exclude: tuple[str, ...],
    limits: TaskLimits | None,
    wide: Iterable[bytes] = (),
) -> Partition:
    """Put task 0 before the others, with the agent that has least without it, and say how even it is.

    ``weights``: of each of the ``hands``. ``exclude``: all that the tasks include, in order.
    """
    rest, knee = Load(*map(sum, zip(Load(), *whole.rest.values(), strict=True))), whole.knee_bytes
    holder = min(range(len(weights)), key=lambda agent: (weights[agent], len(hands[agent]), agent))
    filled = [weight + (rest.weight(knee) if agent == holder else 0) for agent, weight in enumerate(weights)]
    everything = (TaskPlan(EVERYTHING_ELSE, (), exclude, holder, *rest), *tasks)
    slowest = max(range(len(filled)), key=lambda agent: (filled[agent], -agent))
    balance = Balance(whole.load.weight(knee) / len(hands), filled[slowest], slowest)
    if balance.over > EVEN:
        folder, reason = _reason(whole, hands[slowest], slowest == holder)
        balance = balance._replace(folder=folder, reason=reason)
    warnings = () if limits is None else warnings_of(everything, limits, whole.load.entries)
    return Partition(everything, balance, tuple(sorted(wide)), warnings)


def shown(element: Element) -> str:
    """An element as text."""
    return text_of(element.path) + ("*" if element.is_open else "")


def _reason(whole: Whole, hand: Sequence[Element], has_rest: bool) -> tuple[bytes, str]:
    """The folder that makes an agent slowest, and why it is in one piece."""
    knee = whole.knee_bytes
    heaviest = max(hand, key=lambda element: element.load.weight(knee), default=None)
    if has_rest:
        path, load = max(whole.rest.items(), key=lambda each: each[1].weight(knee))
        if heaviest is None or load.weight(knee) > heaviest.load.weight(knee):
            folder = text_of(path) or "the root"
            return path, f"what lies in {folder} beside what the tasks name cannot be cut by patterns"
    if heaviest is None:
        return b"", "nothing else is left to deal"
    path, name = heaviest.path, shown(heaviest)
    if heaviest.load.entries == 1:
        return heaviest.folder, f"{name} is one file"
    return path, f"{name} is one piece: neither folders nor names in it cut it finer"
