"""Makes the demo's dataset: four years of a made-up lab's images, the same to the byte for a seed and scale."""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from engine.errors import RefusedError, UsageError
from engine.model import Kind

YEARS: Final = (2022, 2023, 2024, 2025)
MONTHS: Final = range(1, 13)

_MIB: Final = 1024 * 1024
_FORMAT: Final = 1  # raised when the same seed and scale begin to mean other bytes
_FILES: Final = 12_000  # at scale 1
_LARGE_FILES: Final = 6  # at scale 1, each over 64 MiB: cut into parts for several agents
_LARGE_FROM: Final = 0.05  # below this scale one large file would outweigh all the others
_MEDIAN_BYTES: Final = 13_000
_SIGMA: Final = 1.62  # of the logarithm of sizes: a mean of about 3.7 medians
_MOST_BYTES: Final = 24 * _MIB  # of a file that is not one of the large ones
_BLOCK_BYTES: Final = 4 * _MIB
_FILE_MODES: Final = (0o644, 0o644, 0o644, 0o640, 0o600, 0o444, 0o755)
_KINDS: Final = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.SYMLINK}
_SCOPES: Final = ("confocal-1", "confocal-2", "widefield")


class Item(NamedTuple):
    """One entry to make. ``path`` is relative to the dataset; ``target`` is where a symlink points."""

    path: bytes
    kind: Kind
    size: int  # bytes
    mode: int  # permission bits
    mtime_ns: int
    target: bytes = b""


class DatasetSummary(NamedTuple):
    """What a dataset holds. ``folders`` does not count the dataset's own; ``reused``: it was there already."""

    folder: Path
    files: int
    symlinks: int
    folders: int
    bytes: int
    reused: bool


def make_dataset(folder: Path, scale: float = 1.0, seed: int = 2025) -> DatasetSummary:
    """Make the dataset in ``folder``, or find that it is there already, and say what it holds.

    ``scale`` 1 is about 12,000 files and 1 GB. It is made beside ``folder`` and renamed when complete; a small marker
    beside ``folder`` says of what seed and scale it is. Raises RefusedError if ``folder`` exists and is anything else:
    nothing that is not known to be the demo's own is removed. Raises UsageError if ``scale`` is not above 0.
    """
    if not 0 < scale < math.inf:
        raise UsageError(f"the scale of the demo is a number above 0, not {scale:g}")
    items = plan_dataset(scale, seed)
    marker = folder.with_name(folder.name + ".dataset.json")
    wanted = {"format": _FORMAT, "seed": seed, "scale": scale}
    exists = os.path.lexists(folder)
    if exists and not (_marked(marker) == wanted and _holds(folder, items)):
        raise RefusedError(
            f"{folder} exists and is not the untouched demo dataset of scale {scale:g}: remove it or name another"
        )
    if not exists:
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(os.fsencode(partial), items, seed)
        marker.write_text(json.dumps(wanted))
        partial.rename(folder)
    return _summary(folder, items, reused=exists)


def plan_dataset(scale: float, seed: int) -> list[Item]:
    """Return every entry of the dataset, folders before what is in them; the same for the same arguments."""
    random = Random(seed)
    months = [(year, month) for year in YEARS for month in MONTHS]
    items = [_folder(b"%d" % year, _moment(random, year, 12)) for year in YEARS]
    for position, (year, month) in enumerate(months):
        first, last = (round(_FILES * scale * step / len(months)) for step in (position, position + 1))
        items += _month(random, year, month, last - first)
    items += _large_files(random, scale)
    items += _odd_ones(random)
    return items


def _month(random: Random, year: int, month: int, count: int) -> Iterator[Item]:
    folder = b"%d/%02d" % (year, month)
    yield _folder(folder, _moment(random, year, month))
    scopes = [f"{folder.decode()}/{scope}" for scope in _SCOPES[: 1 + (year + month) % 3]]
    for scope in scopes:
        yield _folder(scope.encode(), _moment(random, year, month), 0o750 if scope.endswith("widefield") else 0o755)
    for number in range(count):
        scope = scopes[number % len(scopes)]
        well = f"{random.choice('ABCDEFGH')}{random.randint(1, 12):02d}"
        name = (
            f"{scope}/plate-{number // 96 + 1:03d}_{well}_{number:04d}.{random.choice(('tif', 'tif', 'png', 'json'))}"
        )
        size = min(int(random.lognormvariate(math.log(_MEDIAN_BYTES), _SIGMA)), _MOST_BYTES)
        yield _file(random, name.encode(), size, _moment(random, year, month))


def _large_files(random: Random, scale: float) -> Iterator[Item]:
    count = math.ceil(_LARGE_FILES * scale) if scale >= _LARGE_FROM else 0
    for number in range(count):
        year, month = YEARS[-1 - number % len(YEARS)], random.choice(MONTHS)
        size = 66 * _MIB + random.randrange(30 * _MIB)
        path = b"%d/%02d/timelapse-%02d.ome.tif" % (year, month, number + 1)
        yield _file(random, path, size, _moment(random, year, month))


def _odd_ones(random: Random) -> Iterator[Item]:
    """Entries at the root and in no year, empty folders, links, and names that trip careless tools."""
    names = (
        "README.txt",
        "plates.csv",
        "calibration.json",
        "field notes (draft) 2.txt",
        "-rf",
        "100% & more + ~ # ?.csv",
        "Übersicht Zürich.csv",
        "細胞_01.png",
        "two\nlines.txt",
        "shared/microscope settings.ini",
        "shared/empty.log",
    )
    yield _folder(b"shared", _moment(random, 2025, 11))
    yield _folder(b"incoming", _moment(random, 2025, 12), 0o700)
    yield _folder(b"2023/02/cancelled session", _moment(random, 2023, 2))
    for name in names:
        size = 0 if "empty" in name else random.randrange(200, 40_000)
        yield _file(random, name.encode(), size, _moment(random, 2025, 12))
    yield _symlink(b"latest", b"2025/12", _moment(random, 2025, 12))
    yield _symlink(b"shared/plates.csv", b"../plates.csv", _moment(random, 2025, 11))
    yield _symlink(b"2022/01/moved.tif", b"/no longer/here.tif", _moment(random, 2022, 1))


def _folder(path: bytes, mtime_ns: int, mode: int = 0o755) -> Item:
    return Item(path, Kind.FOLDER, 0, mode, mtime_ns)


def _file(random: Random, path: bytes, size: int, mtime_ns: int) -> Item:
    return Item(path, Kind.FILE, size, random.choice(_FILE_MODES), mtime_ns)


def _symlink(path: bytes, target: bytes, mtime_ns: int) -> Item:
    return Item(path, Kind.SYMLINK, len(target), 0o777, mtime_ns, target)


def _moment(random: Random, year: int, month: int) -> int:
    """A time in the first 28 days of a month, in ns since the epoch, with a fraction of a second."""
    start = datetime(year, month, 1, tzinfo=UTC)
    return (int(start.timestamp()) * 1_000_000 + random.randrange(28 * 86_400 * 1_000_000)) * 1_000


def _write(root: bytes, items: list[Item], seed: int) -> None:
    # Twice the block, so that a window of a block's length can start anywhere in it.
    block = memoryview(Random(seed).randbytes(_BLOCK_BYTES) * 2)
    for index, item in enumerate(items):
        path = root + b"/" + item.path
        if item.kind == Kind.FOLDER:
            os.mkdir(path)
        elif item.kind == Kind.SYMLINK:
            os.symlink(item.target, path)
            os.utime(path, ns=(item.mtime_ns, item.mtime_ns), follow_symlinks=False)
        else:
            _write_file(path, item, index, block)
    # Last and deepest first: making an entry changes the time of the folder it is in.
    for item in sorted((item for item in items if item.kind == Kind.FOLDER), reverse=True):
        os.chmod(root + b"/" + item.path, item.mode)
        os.utime(root + b"/" + item.path, ns=(item.mtime_ns, item.mtime_ns))
    os.chmod(root, 0o755)
    latest = max(item.mtime_ns for item in items)
    os.utime(root, ns=(latest, latest))


def _write_file(path: bytes, item: Item, index: int, block: memoryview) -> None:
    """Fill a file with windows of ``block`` that start elsewhere for each file and each block of it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for number, start in enumerate(range(0, item.size, _BLOCK_BYTES)):
            window = (index * 2_654_435_761 + number * 40_503) % _BLOCK_BYTES
            os.write(descriptor, block[window : window + min(item.size - start, _BLOCK_BYTES)])
        os.fchmod(descriptor, item.mode)
        os.utime(descriptor, ns=(item.mtime_ns, item.mtime_ns))
    finally:
        os.close(descriptor)


def _marked(marker: Path) -> object:
    try:
        return json.loads(marker.read_text())
    except (OSError, ValueError):
        return None


def _holds(folder: Path, items: list[Item]) -> bool:
    """True if ``folder`` has exactly these entries, with their kinds, sizes, modes and times."""
    root = os.fsencode(folder)
    found = sum(len(folders) + len(files) for _, folders, files in os.walk(root))
    try:
        return found == len(items) and all(_is(root + b"/" + item.path, item) for item in items)
    except FileNotFoundError:
        return False


def _is(path: bytes, item: Item) -> bool:
    status = os.lstat(path)
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    size = 0 if kind == Kind.FOLDER else status.st_size
    found = (kind, size, stat.S_IMODE(status.st_mode), status.st_mtime_ns)
    return found == (item.kind, item.size, item.mode, item.mtime_ns)


def _summary(folder: Path, items: list[Item], *, reused: bool) -> DatasetSummary:
    kinds = [item.kind for item in items]
    return DatasetSummary(
        folder=folder,
        files=kinds.count(Kind.FILE),
        symlinks=kinds.count(Kind.SYMLINK),
        folders=kinds.count(Kind.FOLDER),
        bytes=sum(item.size for item in items if item.kind == Kind.FILE),
        reused=reused,
    )
