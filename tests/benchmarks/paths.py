"""Test runs where the bottleneck is known: agents with a path each, a shared link, a slow source, few processors.

All in network namespaces: an S3 server in one, xsync in another, between them a virtual link for each path, shaped by
tc. Needs root.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.section import Section, Settings, Target, table, targets

CAP = 2_500_000
"""Bytes/s of a path, as tc counts them: with headers. Far below what the processors allow."""

PATHS = 4
SECONDS = 48
_SERVER = "10.99.0.1"
_PORT = 8333
_CPU_QUOTA = 0.25
_TEXT = (
    f"`xsync test-run --ladder` to SeaweedFS through virtual links. A cap is a `tc tbf` of {CAP / 1e6:.1f} MB/s of "
    "packets; what arrives of them as content is about 4 % less. The folders of a case are alike in their mix; a step "
    f"ends when its rate was steady for {SECONDS // 4} s. The rate of four agents is predicted from steps of one and "
    "two, then measured."
)


class Paths(NamedTuple):
    """How to run xsync on its side of the links, and what it needs to reach the server."""

    prefix: list[str]
    env: dict[str, str]
    interfaces: list[str]
    endpoint: str


class _Case(NamedTuple):
    name: str
    word: str
    bottleneck: str
    found: dict[str, Any]

    @property
    def right(self) -> bool:
        """Whether the verdict is what was built."""
        verdict = self.found["verdict"]
        return bool(verdict["word"] == self.word and self.bottleneck in (verdict["bottleneck"] or {}).get("name", ""))


def paths(settings: Settings) -> Section:
    """Four bottlenecks, each to be named; the cap of a path and the rate of four agents to be found within 10 %."""
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    with namespaces(folder) as place:
        own, measured = own_paths(place, folder)
        cases = [
            _Case("a path for each agent", "LINEAR", "path of one agent", own),
            _Case("one link for all", "FLAT", "shared link", shared_link(place, folder)),
        ]
        if not settings.quick:
            cases += [
                _Case("slow source", "FLAT", "source", slow_source(place, folder)),
                _Case("a quarter of a processor", "FLAT", "CPU", few_processors(place, folder)),
            ]
    rows = [
        [case.name, ", ".join(_rate(step) for step in case.found["steps"]), _words(case.found), _yes(case.right)]
        for case in cases
    ]
    one, four = own["steps"][0]["bytes_per_second"], own["predictions"]["4"]["likely"]
    promises = [
        Target("cap found, of one agent", abs(one / CAP - 1), 0.1, at_most=True),
        Target("rate of four agents, predicted beside measured", abs(four / measured - 1), 0.1, at_most=True),
    ]
    head = ["what binds", "MB/s of 1, 2 agents", "verdict", "right"]
    return Section("Test runs", "\n\n".join([table(head, rows), targets(promises), _TEXT]))


def own_paths(place: Paths, folder: Path) -> tuple[dict[str, Any], float]:
    """The ladder with a capped path for each agent, and what four agents reach then, in bytes/s."""
    source = dataset(folder / "own", folders=85)
    with shaped(place, place.interfaces):
        where = profile(place, folder, "own", f"file://{source}", "s3://bench/own", place.interfaces)
        found = test_run(place, folder, where, "--ladder", "--agents", "2")
        four = test_run(place, folder, where, "--agents", "4")
    return found, float(four["steps"][0]["bytes_per_second"])


def shared_link(place: Paths, folder: Path) -> dict[str, Any]:
    """All agents through one capped link."""
    source = dataset(folder / "shared", folders=45)
    with shaped(place, place.interfaces[:1]):
        where = profile(place, folder, "shared", f"file://{source}", "s3://bench/shared", place.interfaces[:1])
        return test_run(place, folder, where, "--ladder", "--agents", "2")


def slow_source(place: Paths, folder: Path) -> dict[str, Any]:
    """A bucket behind a capped link is the source, a folder the destination."""
    source = dataset(folder / "slow", folders=40)
    where = profile(place, folder, "fill", f"file://{source}", "s3://bench/slow", place.interfaces[:1])
    _xsync(place, folder, "run", where, "--json")
    (folder / "restored").mkdir()
    with shaped(place, [f"{place.interfaces[0]}p"], namespace="xsync-server"):
        where = profile(place, folder, "slow", "s3://bench/slow", f"file://{folder}/restored", ())
        return test_run(place, folder, where, "--ladder", "--agents", "2")


def few_processors(place: Paths, folder: Path) -> dict[str, Any]:
    """No cap but a cgroup that lets xsync use a quarter of a processor."""
    source = dataset(folder / "cpu", folders=60, large=0, small=800)
    where = profile(place, folder, "cpu", f"file://{source}", "s3://bench/cpu", place.interfaces[:1])
    with quota(_CPU_QUOTA) as group:
        return test_run(place, folder, where, "--ladder", "--agents", "2", prefix=group)


def dataset(folder: Path, *, folders: int, large: int = 60, small: int = 60) -> Path:
    """Folders of the same mix: files of 128 KiB and of 32 KiB (4 KiB without large ones).

    They are sent whole and counted when they have arrived, so that what waits in the kernel never counts.
    """
    content = random.Random(str(folder))
    for number in range(folders):
        place = folder / f"2025-{number:02}"
        place.mkdir(parents=True)
        for index in range(large):
            (place / f"large-{index:03}").write_bytes(content.randbytes(128 << 10))
        for index in range(small):
            (place / f"small-{index:03}").write_bytes(content.randbytes((32 if large else 4) << 10))
    return folder


def profile(place: Paths, folder: Path, name: str, source: str, destination: str, interfaces: Sequence[str]) -> str:
    """The name of a profile, saved."""
    reach = f'endpoint_url = "{place.endpoint}"\nregion = "us-east-1"\n'
    sides = [("source", source), ("destination", destination)]
    lines = ["schema = 1", f'name = "{name}"']
    for side, url in sides:
        lines += [f"[{side}]", f'url = "{url}"', reach if url.startswith("s3:") else ""]
    if interfaces:
        lines.append(f"interfaces = {json.dumps(list(interfaces))}")
    path = folder / "home" / "profiles" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return name


def test_run(place: Paths, folder: Path, where: str, *options: str, prefix: Sequence[str] = ()) -> dict[str, Any]:
    """What ``xsync test-run`` finds."""
    output = _xsync(place, folder, "test-run", where, *options, "--seconds", str(SECONDS), "--json", prefix=prefix)
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


test_run.__test__ = False  # type: ignore[attr-defined]  # pytest takes its name for a test


def _xsync(place: Paths, folder: Path, *arguments: str, prefix: Sequence[str] = ()) -> str:
    command = [*prefix, *place.prefix, sys.executable, "-m", "xsync_tui", *arguments]
    env = place.env | {"XSYNC_HOME": str(folder / "home")}
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout


@contextmanager
def namespaces(folder: Path) -> Iterator[Paths]:
    """Two namespaces with PATHS links between them, and an S3 server in one. Raises SystemExit where that cannot be."""
    with ExitStack() as stack:
        for name in ("xsync-server", "xsync-agents"):
            stack.callback(_quietly, "ip", "netns", "del", name)
            _quietly("ip", "netns", "del", name)
            _must("ip", "netns", "add", name)
            _must("ip", "-n", name, "link", "set", "lo", "up")
        for kind in ("all", "default"):
            _must("ip", "netns", "exec", "xsync-agents", "sysctl", "-qw", f"net.ipv4.conf.{kind}.rp_filter=0")
        _must("ip", "-n", "xsync-server", "address", "add", f"{_SERVER}/32", "dev", "lo")
        interfaces = [f"xs{number}" for number in range(1, PATHS + 1)]
        for number, name in enumerate(interfaces, 1):
            _link(name, number)
        server = stack.enter_context(_server(folder))
        env = os.environ | server | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
        endpoint = f"http://{_SERVER}:{_PORT}"
        # Not "ip netns exec": it hides the control groups, and with them the quota that is to be found.
        yield Paths(["nsenter", "--net=/run/netns/xsync-agents"], env, interfaces, endpoint)


def _link(name: str, number: int) -> None:
    """A virtual link: ``name`` at the agents, ``name`` + p at the server; all lead to the server's address."""
    _must(
        "ip", "link", "add", name, "netns", "xsync-agents", "type", "veth", "peer", f"{name}p", "netns", "xsync-server"
    )
    for namespace, end, host in (("xsync-agents", name, 2), ("xsync-server", f"{name}p", 1)):
        _must("ip", "-n", namespace, "address", "add", f"10.99.{number}.{host}/24", "dev", end)
        _must("ip", "-n", namespace, "link", "set", end, "up")
    route = [f"{_SERVER}/32", "via", f"10.99.{number}.1", "dev", name, "metric", str(number)]
    _must("ip", "-n", "xsync-agents", "route", "add", *route)


@contextmanager
def shaped(place: Paths, interfaces: Sequence[str], namespace: str = "xsync-agents") -> Iterator[None]:
    """Let each interface send CAP bytes/s."""
    rate = ["rate", f"{CAP * 8}bit", "burst", "64kb", "latency", "400ms"]
    for name in interfaces:
        _must("tc", "-n", namespace, "qdisc", "add", "dev", name, "root", "tbf", *rate)
    try:
        yield
    finally:
        for name in interfaces:
            _must("tc", "-n", namespace, "qdisc", "del", "dev", name, "root")


@contextmanager
def quota(cores: float) -> Iterator[list[str]]:
    """What to run a command with that may use so much of the processors together with its children (cgroups v1, v2)."""
    first, unified = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    group = (first if first.exists() else unified) / f"xsync-bench-{os.getpid()}"
    group.mkdir()
    try:
        if first.exists():
            (group / "cpu.cfs_quota_us").write_text(str(int(cores * 100_000)))
        else:
            (group / "cpu.max").write_text(f"{int(cores * 100_000)} 100000")
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        with suppress(OSError):
            group.rmdir()


@contextmanager
def _server(folder: Path) -> Iterator[dict[str, str]]:
    """SeaweedFS in the server's namespace; its credentials as variables."""
    command = ["ip", "netns", "exec", "xsync-server", sys.executable, "-m", "tests.benchmarks.paths_server"]
    place = folder / "server"
    arguments = [*command, str(place), _SERVER, str(_PORT)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the S3 server did not start in its namespace")
            keys: dict[str, str] = json.loads(line)
            yield keys
        finally:
            process.stdin.close()
            process.wait()


def _must(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()} (network namespaces need root)")


def _quietly(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=False)


def _rate(step: dict[str, Any]) -> str:
    return f"{step['bytes_per_second'] / 1e6:.2f}"


def _words(found: dict[str, Any]) -> str:
    verdict = found["verdict"]
    after = f" AFTER {verdict['after']}" if verdict.get("after") else ""
    return f"{verdict['word']}{after}: {verdict['sentence']}"


def _yes(right: bool) -> str:
    return "yes" if right else "no"
