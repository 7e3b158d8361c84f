"""What control groups leave a process: made-up trees of both versions, containers and slices; and this kernel's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import cgroups
from engine.cgroups import Share, share
from engine.planning.hosting import AGENT_BYTES, HostRoom, host_room

V2 = "30 23 0:26 {root} {at} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "31 23 0:27 {root} {at} rw,nosuid - cgroup cgroup rw,{controllers}\n"
GIB = 1 << 30


def host(root: Path, groups: str, mounts: str, files: dict[str, str]) -> Path:
    """A root with what the kernel says of the process, and files of groups by their paths below it."""
    for name, text in {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_of_nested_slices_the_tightest_counts(tmp_path: Path) -> None:
    at = "sys/fs/cgroup"
    files = {
        f"{at}/cgroup.controllers": "cpu memory\n",
        f"{at}/user.slice/cpu.max": "150000 100000\n",
        f"{at}/user.slice/memory.max": f"{4 * GIB}\n",
        f"{at}/user.slice/memory.current": f"{3 * GIB}\n",
        f"{at}/user.slice/memory.stat": f"anon 5\nfile {2 * GIB}\ninactive_file {GIB}\nactive_file {GIB // 2}\n",
        f"{at}/user.slice/user-0.slice/cpu.max": "max 100000\n",
        f"{at}/user.slice/user-0.slice/memory.max": "max\n",
        f"{at}/user.slice/user-0.slice/memory.high": f"{8 * GIB}\n",
        f"{at}/user.slice/user-0.slice/memory.current": f"{GIB}\n",
        f"{at}/user.slice/user-0.slice/a.scope/cpu.max": "400000 100000\n",
    }
    groups = "0::/user.slice/user-0.slice/a.scope\n"
    found = share(host(tmp_path, groups, V2.format(root="/", at="/sys/fs/cgroup"), files))
    assert found == Share(1.5, 4 * GIB - (3 * GIB - 3 * GIB // 2), tmp_path / at / "user.slice" / "cpu.stat")


@pytest.mark.parametrize(
    ("path", "mounted"),
    [
        ("/", "/"),
        ("/docker/4f", "/docker/4f"),
        ("/", "/../../docker/4f"),
        ("/../b", "/"),
        ("/kube/elsewhere", "/docker/4f"),
    ],
)
def test_a_container_sees_its_own_group_at_the_top(tmp_path: Path, path: str, mounted: str) -> None:
    files = {"sys/fs/cgroup/cpu.max": "50000 100000\n", "sys/fs/cgroup/memory.max": "1000\n"}
    files |= {"sys/fs/cgroup/memory.current": "1200\n"}
    found = share(host(tmp_path, f"0::{path}\n", V2.format(root=mounted, at="/sys/fs/cgroup"), files))
    assert (found.cores, found.memory) == (0.5, 0)


def test_version_1_has_a_hierarchy_of_each_controller(tmp_path: Path) -> None:
    mounts = V1.format(root="/", at="/sys/fs/cgroup/cpu,cpuacct", controllers="cpu,cpuacct")
    mounts += V1.format(root="/", at="/sys/fs/c\\040g", controllers="memory")
    mounts += V2.format(root="/", at="/sys/fs/cgroup/unified")
    files = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "75000\n",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "50000\n",
        "sys/fs/c g/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/c g/memory.usage_in_bytes": "5\n",
        "sys/fs/c g/job/memory.limit_in_bytes": "1000\n",
        "sys/fs/c g/job/memory.usage_in_bytes": "900\n",
        "sys/fs/c g/job/memory.stat": "inactive_file 1\ntotal_inactive_file 300\ntotal_active_file 100\n",
    }
    found = share(host(tmp_path, "4:memory:/job\n3:cpuacct,cpu:/job/inner\n0::/\n", mounts, files))
    assert found == Share(1.5, 500, tmp_path / "sys/fs/cgroup/cpu,cpuacct/job/cpu.stat")


def test_where_nothing_is_told_nothing_limits(tmp_path: Path) -> None:
    assert share(tmp_path) == Share()
    odd = {"sys/fs/cgroup/cpu.max": "so much\n", "sys/fs/cgroup/memory.max": "9\n"}
    assert share(host(tmp_path, "0::/\n", V2.format(root="/", at="/sys/fs/cgroup"), odd)) == Share()


def test_what_limits_a_host_is_said_in_words() -> None:
    quota = host_room(64, 64 * GIB, None, allowed=64, quota=1.5)
    assert quota == HostRoom(6, "cores", "4 a core by rule of thumb, 1.5 cores by its cgroup's CPU quota")
    pinned = host_room(64, 64 * GIB, None, allowed=2, quota=3.0)
    assert pinned.said == "8 agents (4 a core by rule of thumb, 2 of 64 cores by its CPU affinity)"
    small = host_room(64, 64 * GIB, None, left=2 * AGENT_BYTES)
    assert small == HostRoom(2, "memory", "629 MB left of its cgroup's memory limit")
    assert host_room(64, AGENT_BYTES, None, left=2 * AGENT_BYTES).by == "315 MB of memory available"
    assert host_room(2, 64 * GIB, None, quota=0.1).agents == 1


@contextmanager
def group(controller: str, first: tuple[str, str], second: tuple[str, str]) -> Iterator[Path]:
    """A real group below the one this process is in, with a limit as its version says it."""
    top = next(iter(cgroups._groups(Path("/"), controller)), None)
    if top is None or not os.access(top, os.W_OK) or os.geteuid():
        pytest.skip(f"this account may make no control group for {controller}")
    made = top / f"xsync-test-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        name, value = first if (made / first[0]).exists() else second
        if not (made / name).exists():
            pytest.skip(f"{controller} is not passed on to control groups below {top}")
        (made / name).write_text(value)
        yield made
    finally:
        made.rmdir()


def told(group: Path) -> list[str]:
    """Cores and bytes of memory that a process in ``group`` finds left, and whether its quota is counted there."""
    code = (
        "from engine.cgroups import cores_here, share\n"
        "from engine.execution.checking.host import room_here\n"
        "found = share()\n"
        "print(cores_here(), found.memory, found.counted, room_here().by, sep='|')"
    )
    enter = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", enter, "sh", sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip().split("|")


def test_a_real_quota_of_cpu_is_found() -> None:
    with group("cpu", ("cpu.max", "25000 100000"), ("cpu.cfs_quota_us", "25000")) as made:
        cores, _, counted, by = told(made)
    assert (cores, counted) == ("0.25", f"{made}/cpu.stat")
    assert by == "4 a core by rule of thumb, 0.25 cores by its cgroup's CPU quota"


def test_a_real_limit_of_memory_is_found() -> None:
    limit = 600 << 20
    with group("memory", ("memory.max", str(limit)), ("memory.limit_in_bytes", str(limit))) as made:
        _, left, _, by = told(made)
    assert 0.5 * limit < int(left) < limit
    assert by.endswith("left of its cgroup's memory limit")
