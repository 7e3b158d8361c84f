"""The files that are uploaded, in memory where there is room, so that no disk is measured."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

_MIB = 1024 * 1024
_SHARED_MEMORY = Path("/dev/shm")
_FILES_PER_FOLDER = 1_000


class Inputs:
    """Makes inputs below one folder, each once, and knows by name what it has made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def small(self, count: int, size: int) -> Path:
        """A folder with ``count`` files of ``size`` bytes, 1,000 to a folder, no two alike unless they are empty."""
        folder = self._folder / f"small-{count}-{size}"
        if folder.exists():
            return folder
        block = Random(1).randbytes(size)
        for first in range(0, count, _FILES_PER_FOLDER):
            below = folder / f"{first // _FILES_PER_FOLDER:04d}"
            below.mkdir(parents=True)
            for number in range(first, min(first + _FILES_PER_FOLDER, count)):
                descriptor = os.open(f"{below}/{number:07d}.bin", os.O_WRONLY | os.O_CREAT, 0o644)
                os.write(descriptor, (number.to_bytes(8, "big") + block)[:size])
                os.close(descriptor)
        return folder

    def large(self, count: int, size: int) -> Path:
        """A folder with ``count`` files of ``size`` bytes without holes; ``size`` is a multiple of 1 MiB."""
        folder = self._folder / f"large-{count}-{size}"
        if folder.exists():
            return folder
        folder.mkdir()
        block = Random(2).randbytes(_MIB)
        for number in range(count):
            with open(folder / f"{number}.bin", "wb", buffering=0) as file:
                for step in range(size // _MIB):
                    file.write((number * 1_000_003 + step).to_bytes(8, "big") + block[8:])
        return folder

    def beside(self, name: str) -> Path:
        """A path beside the inputs, where nothing is yet."""
        return self._folder / name

    def drop(self, folder: Path) -> None:
        """Give back the room that an input takes."""
        shutil.rmtree(folder)


@contextmanager
def inputs(most_bytes: int) -> Iterator[Inputs]:
    """Inputs of together at most ``most_bytes``, gone afterwards; in shared memory if that leaves half of it free."""
    roomy = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > 2 * most_bytes
    with tempfile.TemporaryDirectory(prefix="xsync-bench-", dir=_SHARED_MEMORY if roomy else None) as name:
        yield Inputs(Path(name))
