"""What a migration's filters leave of a tree, as far as its folders tell. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.filters import Filters
from engine.planning.values import FolderNode


def within(tree: Sequence[FolderNode], filters: Filters) -> list[FolderNode]:
    """The folders that can hold something that is copied; what lies in others is taken off those they lie in.

    Filters by name, age or size of single files change nothing here: they are taken to hold for all folders alike.
    """
    kept: dict[bytes, FolderNode] = {}
    for node in tree:
        if filters.enters(node.path):
            kept[node.path] = node
            continue
        if (parent := node.path.rpartition(b"/")[0]) in kept:
            while True:
                kept[parent] = _without(kept[parent], node)
                if not parent:
                    break
                parent = parent.rpartition(b"/")[0]
    return list(kept.values())


def _without(folder: FolderNode, other: FolderNode) -> FolderNode:
    return msgspec.structs.replace(
        folder,
        files=folder.files - other.files,
        bytes=folder.bytes - other.bytes,
        entries=folder.entries - other.entries,
    )
