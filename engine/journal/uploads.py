"""Intents, uploads and parts: what a crash may leave behind at a destination, and what a resume can use again."""

from __future__ import annotations

from collections.abc import Iterable

from engine.decoding import from_json
from engine.journal.records import Part, Upload, to_json
from engine.journal.store import Store
from engine.model import Identity


class Uploads(Store):
    """The part of a journal that is about large files. A row lives as long as its upload does."""

    def add_intent(self, path: bytes, at: float) -> None:
        """Record, before an upload is created, that one may come to exist at ``path``. The first time is kept."""
        update = "ON CONFLICT (path) DO UPDATE SET times = times + 1"
        self._run(f"INSERT INTO intents VALUES (?, ?, 1) {update}", path, at)

    def intents(self) -> dict[bytes, float]:
        """Paths where an upload may exist that is not in ``open_uploads``, each with the time it was first intended."""
        return dict(self._rows("SELECT path, created_at FROM intents"))

    def open_upload(self, path: bytes, upload_id: str, identity: Identity, part_size: int, at: float) -> int:
        """Record a created upload; returns its id in the journal.

        Its intent is fulfilled and goes, unless it was recorded more than once: then one created before may exist, too.
        """
        values = (path, upload_id, to_json(identity), part_size, at)
        columns = "path, upload_id, identity, part_size, opened_at"
        with self.transaction():
            self._run("DELETE FROM intents WHERE path = ? AND times = 1", path)
            return self._run(f"INSERT INTO uploads ({columns}) VALUES (?, ?, ?, ?, ?)", *values)

    def add_parts(self, upload: int, parts: Iterable[tuple[int, int, int, str]]) -> None:
        """Record finished parts: number, size, CRC64NVME, ETag. A part sent again replaces the one before."""
        rows = [(upload, number, size, _signed(checksum), etag) for number, size, checksum, etag in parts]
        self._run_many("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)", rows)

    def end_upload(self, upload: int) -> None:
        """Forget an upload and its parts: the destination has confirmed that it is completed or aborted."""
        self._run("DELETE FROM uploads WHERE id = ?", upload)

    def open_uploads(self) -> list[Upload]:
        """Uploads that were neither completed nor aborted, oldest first."""
        parts: dict[int, list[Part]] = {}
        for upload, number, size, checksum, etag in self._rows("SELECT * FROM parts ORDER BY upload, number"):
            parts.setdefault(upload, []).append(Part(number, size, _unsigned(checksum), etag))
        rows = self._rows("SELECT id, path, upload_id, identity, part_size, opened_at FROM uploads ORDER BY id")
        return [
            Upload(number, path, upload_id, _identity(text), part_size, opened_at, tuple(parts.get(number, ())))
            for number, path, upload_id, text, part_size, opened_at in rows
        ]


def _identity(text: str) -> Identity:
    return from_json(text, Identity)


def _signed(checksum: int) -> int:
    """SQLite's integers are signed: fold the upper half of the unsigned 64-bit range below zero."""
    return checksum - (1 << 64) if checksum >> 63 else checksum


def _unsigned(checksum: int) -> int:
    return checksum % (1 << 64)
