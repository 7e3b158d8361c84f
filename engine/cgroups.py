"""What control groups leave this process of its host: CPU time and memory, of both versions and of all groups around.

Containers and systemd's slices are such groups (cgroups(7); Linux: admin-guide/cgroup-v2, cgroup-v1/memory). What they
limit shows nowhere else: a container sees the processors and the memory of its host.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_HOST = Path("/")

_NO_LIMIT = 1 << 60
"""Version 1 says so many bytes, or a little more, where there is no limit."""

_CACHE = ("inactive_file", "active_file", "slab_reclaimable")
"""Of what a group uses (memory.stat), what the kernel takes back when it is needed: as MemAvailable has it."""


class Share(NamedTuple):
    """What the tightest groups leave; None: they limit nothing.

    ``cores``: CPU time, in processors; ``memory``: bytes that may still be used; ``counted``: the file in which the
    group with the tightest CPU quota counts what became of it.
    """

    cores: float | None = None
    memory: int | None = None
    counted: Path | None = None


def cores_here() -> float:
    """Processors that this process may use, with quotas of their time: at least a hundredth of one."""
    allowed = len(os.sched_getaffinity(0))
    quota = share().cores
    return max(0.01, allowed if quota is None else min(allowed, quota))


def share(root: Path = _HOST) -> Share:
    """What is left to this process; ``root``: where /proc and the mount points are looked for."""
    quotas = [(quota, group) for group in _groups(root, "cpu") if (quota := _cores(group)) is not None]
    left = [memory for group in _groups(root, "memory") if (memory := _memory(group)) is not None]
    cores, group = min(quotas, default=(None, None))
    return Share(cores, min(left, default=None), None if group is None else group / "cpu.stat")


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the groups that this process is in and that may limit ``controller``, the innermost first."""
    ours = _ours(root)
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(), [*after.split(maxsplit=2), "", "", ""][:3]
        of = controller if kind == "cgroup" and controller in options.split(",") else ""
        if kind not in ("cgroup", "cgroup2") or (kind == "cgroup" and not of) or of not in ours:
            continue
        mounted, top = _plain(fields[3]), root / _plain(fields[4]).lstrip("/")
        folder = top / _below(ours[of], mounted)
        while folder != top:
            yield folder
            folder = folder.parent
        yield top


def _ours(root: Path) -> dict[str, str]:
    """Controller -> path of the group in its hierarchy; "": that of version 2."""
    found = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _below(path: str, mounted: str) -> str:
    """Where a group lies below a mount of the group ``mounted``: at its top, if it is seen from another namespace."""
    inside = path if mounted == "/" else path[len(mounted) :] if f"{path}/".startswith(f"{mounted}/") else ""
    return "" if ".." in inside.split("/") else inside.strip("/")


def _cores(group: Path) -> float | None:
    """The CPU quota of one group."""
    quota, _, period = _text(group / "cpu.max").strip().partition(" ")
    if not quota:
        quota, period = _text(group / "cpu.cfs_quota_us").strip(), _text(group / "cpu.cfs_period_us").strip()
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _memory(group: Path) -> int | None:
    """Bytes that the limit of one group still leaves it."""
    limits = [_text(group / name).strip() for name in ("memory.max", "memory.high", "memory.limit_in_bytes")]
    known = [int(limit) for limit in limits if limit.isdigit() and int(limit) < _NO_LIMIT]
    used = (_text(group / "memory.current") or _text(group / "memory.usage_in_bytes")).strip()
    if not known or not used.isdigit():
        return None
    counts: dict[str, str] = dict(re.findall(r"^(\w+) (\d+)$", _text(group / "memory.stat"), re.MULTILINE))
    cache = sum(int(counts.get(f"total_{name}", counts.get(name, "0"))) for name in _CACHE)
    return max(0, min(known) - max(0, int(used) - cache))


def _plain(text: str) -> str:
    """A path of mountinfo without its octal escapes (proc_pid_mountinfo(5))."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text()
    return ""
