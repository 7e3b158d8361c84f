"""Cuts a surveyed source into tasks: what the partition asks about folders and names is looked up in the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from engine.errors import UsageError
from engine.filters import Filters
from engine.planning.partition import Partition, TaskLimits, partition
from engine.planning.partition.scope import within
from engine.planning.plan import part_of
from engine.planning.values import Dataset, NameGroup
from engine.survey.dataset import dataset_of
from engine.survey.report import SurveyReport, reading
from engine.survey.tree import SHARE, folder_tree, name_groups

FINENESS = 100
"""Folders are looked at down to this part of an even share, names to twice that: what is finer need not be cut."""


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
    names: dict[bytes, Sequence[NameGroup]] = {}
    with suppress(UsageError), reading(surveys, survey) as files:
        tree = folder_tree(files, spill, knee_bytes, share=min(SHARE, 1 / (FINENESS * agents)), level=level or 1)
        tree = within(tree, filters)
        share = (tree[0].bytes + knee_bytes * tree[0].files) / agents
        while True:
            found = partition(tree, agents, knee_bytes, names=names, level=level, limits=limits)
            if not found.wide:
                return found
            names |= name_groups(files, spill, found.wide, knee_bytes, 2 * share / FINENESS)
    return None


def surveyed(surveys: Path, survey: SurveyReport, filters: Filters, spill: Path) -> Dataset:
    """What the filters leave of a survey, as far as folders tell. Raises UsageError if its entries are gone."""
    whole = dataset_of(survey)
    if filters.trivial(b""):
        return whole
    with reading(surveys, survey) as files:
        root = within(folder_tree(files, spill, 1, level=2), filters)[0]
    return part_of(whole, root.files, root.bytes, root.entries)
