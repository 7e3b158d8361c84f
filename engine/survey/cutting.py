"""Cuts a surveyed source into tasks: what the partition asks about folders and names is looked up in the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.catalog.limits import is_limited
from engine.errors import UsageError
from engine.filters import Filters
from engine.model import FilterSpec
from engine.planning.alike import part_of
from engine.planning.partition import Partition, TaskLimits, partition
from engine.planning.partition.levels import Level, deal_level, level_of
from engine.planning.partition.scope import within
from engine.planning.values import Dataset, FolderNode, NameGroup
from engine.survey.dataset import dataset_of
from engine.survey.matching import Wanted, kept_sizes
from engine.survey.report import SurveyReport, reading
from engine.survey.tree import SHARE, folder_tree, name_groups

MOST_MATCHED = 20_000_000
"""Files whose paths are matched with patterns for a plan: about ten seconds."""

FINENESS = 100
"""Folders are looked at down to this part of an even share, names to twice that: what is finer need not be cut."""


class Folders(NamedTuple):
    """What a catalog tells about folders: a ``tree`` of those that matter, ``names`` in some, as ``agents`` need.

    All folders down to ``depth`` are in it. ``levels``: what was made of the tree alone, by depth and filters.
    """

    tree: Sequence[FolderNode]
    names: Mapping[bytes, Sequence[NameGroup]]
    agents: int
    depth: int
    levels: dict[tuple[int, FilterSpec], Level]


class Cut(NamedTuple):
    """A partition. ``settled``: reading the catalog for just these agents would give the same."""

    partition: Partition
    settled: bool


def cut(
    surveys: Path,
    survey: SurveyReport,
    filters: Filters,
    agents: int,
    knee_bytes: int,
    spill: Path,
    *,
    level: int | None = None,
    limits: TaskLimits | None = None,
) -> Partition | None:
    """What partition() makes of a survey kept below ``surveys``; None if its catalog is gone.

    ``spill``: a folder for what queries do not keep in memory. Raises JournalError if the catalog cannot be read.
    """
    folders = read_folders(surveys, survey, filters, agents, knee_bytes, spill, level=level, limits=limits)
    if folders is None:
        return None
    return cut_folders(folders, filters, agents, knee_bytes, level=level, limits=limits).partition


def read_folders(
    surveys: Path,
    survey: SurveyReport,
    filters: Filters,
    agents: int,
    knee_bytes: int,
    spill: Path,
    *,
    level: int | None = None,
    limits: TaskLimits | None = None,
    most_agents: int = 1,
    most_level: int = 1,
) -> Folders | None:
    """All that cut_folders() needs for ``agents``; None if the catalog is gone. Slow: it reads the catalog.

    The tree is also fine enough for ``most_agents`` and down to ``most_level``. Raises JournalError.
    """
    with suppress(UsageError), reading(surveys, survey) as files:
        share = _share(max(agents, most_agents))
        depth = max(level or 1, most_level)
        tree = folder_tree(files, spill, knee_bytes, share=share, level=depth)
        found = Folders(tree, {}, agents, depth, {})
        while True:
            made = cut_folders(found, filters, agents, knee_bytes, level=level, limits=limits).partition
            if not made.wide:
                return found
            root = within(tree, filters)[0]
            most = 2 * (root.bytes + knee_bytes * root.files) / agents / FINENESS
            names = name_groups(files, spill, made.wide, knee_bytes, most)
            found = found._replace(names={**found.names, **names})
    return None


def cut_folders(
    folders: Folders,
    filters: Filters,
    agents: int,
    knee_bytes: int,
    *,
    level: int | None = None,
    limits: TaskLimits | None = None,
) -> Cut:
    """Cut what was read for ``agents``, or for others: then it is settled only where no names are asked for. Pure."""
    if level is not None:
        return Cut(deal_level(_level(folders, filters, level), agents, knee_bytes, limits), level <= folders.depth)
    tree = within(_heavy(folders.tree, knee_bytes, _share(agents), 1), filters)
    found = partition(tree, agents, knee_bytes, names=folders.names, limits=limits)
    return Cut(found, not found.wide and (agents == folders.agents or not folders.names))


def _level(folders: Folders, filters: Filters, depth: int) -> Level:
    """The folders of a depth that filters leave."""
    key = depth, filters.spec
    if key not in folders.levels:
        folders.levels[key] = level_of(within(folders.tree, filters), depth)
    return folders.levels[key]


def surveyed(surveys: Path, survey: SurveyReport, filters: Filters, spill: Path) -> Dataset:
    """What the filters leave of a survey. Raises UsageError if its entries are gone.

    Patterns, ages and sizes are held against every file (two million a second) where ``counts_files``; else, and as to
    folders, links and manifests, it is as far as folders tell. Ages are those at the time of the survey.
    """
    whole = dataset_of(survey)
    if keeps_all(filters):
        return whole
    with reading(surveys, survey) as files:
        root = within(folder_tree(files, spill, 1, level=2), filters)[0]
        if counts_files(survey, filters):
            kept = kept_sizes(files, Wanted(filters.spec, survey.surveyed_at))
            others = max(0, root.entries - root.files)
            return Dataset(sum(kept.files), sum(kept.bytes), others, kept.largest, kept.bins())
    return part_of(whole, root.files, root.bytes, root.entries)


def counts_files(survey: SurveyReport, filters: Filters) -> bool:
    """Whether no list of paths filters, and the files are few enough to look at each."""
    return filters.spec.manifest is None and filters.spec.only is None and survey.files <= MOST_MATCHED


def keeps_all(filters: Filters) -> bool:
    """Whether nothing is left out but what always is."""
    return filters.trivial(b"") and not is_limited(filters.spec)


def scaled(folders: Folders, filters: Filters, left: Dataset) -> Folders:
    """With as much in all as filters by name have ``left``, taken alike of every folder; within() knows no more."""
    root = within(folders.tree, filters)[0]
    if not root.files or not root.bytes or (root.files, root.bytes) == (left.files, left.bytes):
        return folders
    of_files, of_bytes = left.files / root.files, left.bytes / root.bytes
    of_entries = (left.files + left.others) / root.entries

    def part(one: FolderNode | NameGroup) -> dict[str, int]:
        return {
            "files": round(one.files * of_files),
            "bytes": round(one.bytes * of_bytes),
            "entries": round(one.entries * of_entries),
        }

    tree = [
        msgspec.structs.replace(
            node,
            own_files=round(node.own_files * of_files),
            own_bytes=round(node.own_bytes * of_bytes),
            **part(node),
        )
        for node in folders.tree
    ]
    names = {
        folder: [msgspec.structs.replace(each, **part(each)) for each in groups]
        for folder, groups in folders.names.items()
    }
    return folders._replace(tree=tree, names=names, levels={})


def _share(agents: int) -> float:
    """Of the whole: what is lighter need not be looked at for so many agents."""
    return min(SHARE, 1 / (FINENESS * agents))


def _heavy(tree: Sequence[FolderNode], knee_bytes: int, share: float, level: int) -> list[FolderNode]:
    """The nodes that folder_tree() gives for ``share`` and ``level``, out of a finer tree."""
    least = share * (tree[0].bytes + knee_bytes * tree[0].files)
    return [
        node
        for node in tree
        if node.bytes + knee_bytes * node.files >= least or (node.path.count(b"/") < level or not node.path)
    ]
