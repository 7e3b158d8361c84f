"""What a service allows a task: cuts an agent's share into tasks that keep to it, and warns of what cannot. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.planning.partition.pieces import Element, Piece, total
from engine.planning.partition.tasks import TaskLimits, TaskPlan


def oversized(piece: Piece, limits: TaskLimits) -> bool:
    """Whether a piece is too much for one task."""
    too_long = _characters([element.pattern for element in piece.elements]) > limits.filter_characters
    return too_long or total(element.load for element in piece.elements).entries > limits.items


def parcels(elements: Sequence[Element], limits: TaskLimits | None) -> list[list[Element]]:
    """What an agent gets in the order given, as one task or, where that is too much for one, as several."""
    found: list[list[Element]] = []
    items = characters = 0
    for element in elements:
        size, length = element.load.entries, len(element.pattern) + 1
        full = limits is not None and (items + size > limits.items or characters + length > limits.filter_characters)
        if not found or full:
            found.append([])
            items = characters = 0
        found[-1].append(element)
        items, characters = items + size, characters + length
    return found


def warnings_of(tasks: Sequence[TaskPlan], limits: TaskLimits, items: int) -> tuple[str, ...]:
    """What a plan of ``tasks`` exceeds of the limits, and what to do about it; ``items``: of the whole source."""
    found = []
    if len(tasks) > limits.tasks:
        found.append(
            f"{len(tasks):,} tasks: an account has {limits.tasks:,} in a Region. Ask AWS for more, or use fewer agents "
            "or a higher level."
        )
    rest, *others = tasks
    if rest.exclude and items > limits.items:
        found.append(
            f'"{rest.name}" has exclude filters alone, which DataSync applies after listing: it lists all {items:,} '
            f"items, more than {limits.items:,}. Run it from a manifest, or leave it out if nothing else is there."
        )
    found += [
        f'"{task.name}" has {task.entries:,} items and cannot be cut by filters: an execution holds {limits.items:,}. '
        "Use several manifests, agents of 64 GB (50,000,000), or Enhanced mode."
        for task in others
        if (task.entries or 0) > limits.items
    ]
    for task in tasks:
        for rule, patterns in (("include", task.include), ("exclude", task.exclude)):
            if (length := _characters(patterns)) > limits.filter_characters:
                found.append(
                    f'"{task.name}": its {rule} filter has {length:,} characters, {limits.filter_characters:,} are '
                    "allowed. Use a manifest, or fewer agents."
                )
    return tuple(found)


def _characters(patterns: Sequence[str]) -> int:
    """Of the patterns as one filter, with ``|`` between them."""
    return sum(map(len, patterns)) + max(0, len(patterns) - 1)
