"""Out of SeaweedFS beside the peers: many small objects and a few large ones to files, and a listing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from statistics import median

from tests.benchmarks.measure import CommandFailedError, Usage, measure
from tests.benchmarks.section import MIB, Section, Settings, Target, middle, table, targets
from tests.benchmarks.tls_front import tls_front
from tests.benchmarks.tools import AGENTS, Endpoint, environment, program
from tests.certificates import self_signed
from xsync_tui.demo.server import s3_client, s3_server

_BUCKET = "bench"
_RUNS = 3

Command = Callable[[str], list[str]]

_SHARED = (
    "Client and server share this machine, and the server takes most of its time. CPU is user and system time of all "
    "processes of a tool, start and end included. xsync also writes owner, mode and times, compares the server's "
    "checksums, syncs, and reads back what it wrote."
)


def small_from_seaweedfs(settings: Settings) -> Section:
    """20,000 objects of 16 KiB to files."""
    files = settings.count(20_000)
    return _downloads(settings, settings.inputs.small(files, 16 * 1024), files, f"{files:,} x 16 KiB")


def large_from_seaweedfs(settings: Settings) -> Section:
    """3 objects of 1 GiB to files."""
    size = (128 if settings.quick else 1_024) * MIB
    source = settings.inputs.large(3, size)
    section = _downloads(settings, source, 3, f"3 x {size // MIB:,} MiB")
    settings.inputs.drop(source)
    return section


def large_from_tls(settings: Settings) -> Section:
    """The same over TLS, which nginx speaks before SeaweedFS."""
    size = (128 if settings.quick else 1_024) * MIB
    source = settings.inputs.large(3, size)
    section = _downloads(settings, source, 3, f"3 x {size // MIB:,} MiB over TLS", tls=True)
    settings.inputs.drop(source)
    return section


def listing(settings: Settings) -> Section:
    """A listing of 100,000 keys: ``xsync survey`` beside ``s5cmd ls``."""
    keys = settings.count(100_000)
    source = settings.inputs.small(keys, 16)
    commands: dict[str, Command] = {
        "xsync": lambda url: [program("xsync"), "survey", f"s3://{_BUCKET}/data", "--endpoint-url", url, "--json"],
        "s5cmd": lambda url: [program("s5cmd"), "--endpoint-url", url, "ls", f"s3://{_BUCKET}/data/*"],
    }
    with _filled(settings, source) as endpoint:
        runs = _rounds(settings, commands, endpoint, lambda _: None)
    rows = [
        [name, middle([run.wall_seconds for run in done], ".2f"), middle([run.cpu_seconds for run in done], ".2f")]
        for name, done in runs.items()
    ]
    found = [
        Target("seconds of a listing, s5cmd's to xsync's", _ratio(runs, "s5cmd", lambda run: run.wall_seconds), 1.0),
        Target("CPU seconds of a listing, s5cmd's to xsync's", _ratio(runs, "s5cmd", lambda run: run.cpu_seconds), 1.0),
    ]
    shown = table(["tool", "seconds", "CPU s"], rows) + "\n\n" + targets(found)
    return Section(f"Listing a bucket of {keys:,} keys (xsync survey)", shown)


def _downloads(settings: Settings, source: Path, files: int, what: str, *, tls: bool = False) -> Section:
    target = settings.inputs.beside("downloaded")
    commands: dict[str, Command] = {
        "xsync": lambda url: [
            *(program("xsync"), "run", f"s3://{_BUCKET}/data", str(target)),
            *("--endpoint-url", url, "--agents", str(AGENTS), "--json"),
        ],
        "s5cmd": lambda url: [
            *(program("s5cmd"), "--endpoint-url", url, "--log", "error", "--numworkers", "64"),
            *("cp", f"s3://{_BUCKET}/data/*", f"{target}/"),
        ],
        "rclone": lambda url: [
            *(program("rclone"), "copy", "--config", os.devnull, "--retries", "1", "--transfers", "32"),
            *("--checkers", "16", "--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", url),
            *(f":s3:{_BUCKET}/data", str(target)),
        ],
    }

    def check(name: str) -> None:
        found = sum(len(names) for _, _, names in os.walk(target))
        shutil.rmtree(target)
        if found != files:
            raise CommandFailedError(f"{name} was to fetch {files} files; it fetched {found}")

    with _filled(settings, source) as plain, _behind_tls(settings, plain) if tls else nullcontext(plain) as endpoint:
        runs = _rounds(settings, commands, endpoint, check)
    rows = [
        [name, middle([run.wall_seconds for run in done], ".2f"), middle([run.cpu_seconds for run in done], ".2f")]
        for name, done in runs.items()
    ]
    found = []
    for peer in ("s5cmd", "rclone"):
        found += [
            Target(f"wall time, {peer}'s to xsync's", _ratio(runs, peer, lambda run: run.wall_seconds), 1.0),
            Target(f"CPU seconds, {peer}'s to xsync's", _ratio(runs, peer, lambda run: run.cpu_seconds), 1.0),
        ]
    shown = table(["tool", "seconds", "CPU s"], rows) + "\n\n" + targets(found) + "\n\n" + _SHARED
    return Section(f"{what} from SeaweedFS to files", shown)


def _rounds(
    settings: Settings, commands: dict[str, Command], endpoint: Endpoint, check: Callable[[str], None]
) -> dict[str, list[Usage]]:
    """Every command in turn, several rounds of it, each with another one first."""
    names = list(commands)
    runs: dict[str, list[Usage]] = {name: [] for name in names}
    for turn in range(settings.runs(_RUNS)):
        for name in _turned(names, turn):
            home = Path(tempfile.mkdtemp(dir=settings.folder))
            runs[name].append(measure(commands[name](endpoint.url), environment(endpoint, home)))
            shutil.rmtree(home)
            check(name)
    return runs


def _turned(names: Sequence[str], turn: int) -> list[str]:
    start = turn % len(names)
    return [*names[start:], *names[:start]]


def _ratio(runs: dict[str, list[Usage]], peer: str, of: Callable[[Usage], float]) -> float:
    return median(of(run) for run in runs[peer]) / median(of(run) for run in runs["xsync"])


@contextmanager
def _filled(settings: Settings, source: Path) -> Iterator[Endpoint]:
    """A server whose bucket holds ``source`` below ``data``."""
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    with s3_server(folder / "seaweedfs") as server:
        with closing(s3_client(server)) as client:
            client.create_bucket(Bucket=_BUCKET)
        endpoint = Endpoint(server.endpoint_url, server.access_key, server.secret_key, server.region, _BUCKET)
        command = [program("s5cmd"), "--endpoint-url", endpoint.url, "--log", "error", "cp", f"{source}/"]
        measure([*command, f"s3://{_BUCKET}/data/"], environment(endpoint, folder / "home"))
        yield endpoint
    shutil.rmtree(folder)


@contextmanager
def _behind_tls(settings: Settings, endpoint: Endpoint) -> Iterator[Endpoint]:
    """The same server, reached over TLS."""
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    certificate = self_signed(folder)
    with tls_front(folder / "nginx", endpoint.url, certificate) as url:
        yield endpoint._replace(url=url, ca_bundle=certificate)
    shutil.rmtree(folder)
