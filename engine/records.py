"""Small records kept by name in a folder of the state: whole or not at all, and held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from engine.catalog.files import replacing
from engine.decoding import from_json
from engine.errors import XsyncError
from engine.home import private_folder

T = TypeVar("T", bound=msgspec.Struct)


class Records(Generic[T]):
    """Records of one ``kind`` below ``folder``, which is made once something is kept."""

    def __init__(self, folder: Path, kind: type[T]) -> None:
        self._folder = folder
        self._kind = kind

    def names(self) -> list[str]:
        """Of all there are, in order."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def read(self, name: str, advice: str) -> T | None:
        """The record of that name, None if there is none. Raises XsyncError with ``advice`` if it cannot be read."""
        path = self._path(name)
        try:
            return from_json(path.read_bytes(), self._kind)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise XsyncError(f"{path} cannot be read: {error}. {advice}") from error

    def write(self, name: str, record: T) -> None:
        """Keep it. Raises OSError."""
        private_folder(self._folder)
        with replacing(self._path(name)) as file:
            file.write(msgspec.json.format(msgspec.json.encode(record), indent=2))

    def forget(self, name: str) -> None:
        """Remove it, if it is there."""
        self._path(name).unlink(missing_ok=True)

    @contextmanager
    def held(self, name: str) -> Iterator[bool]:
        """Whether no other process holds the record; until the block ends this one does. Raises OSError."""
        private_folder(self._folder)
        fd = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _locked(fd)
        finally:
            os.close(fd)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
