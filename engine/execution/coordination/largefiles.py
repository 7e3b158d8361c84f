"""Pure state of the files that are sent in parts: which ranges are missing, when one is complete, when it failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from engine.execution.coordination.messages import (
    AbortUpload,
    BeginUpload,
    CompleteUpload,
    Instruction,
    KeepParts,
    LargeFile,
    UploadEnded,
    UploadReady,
)
from engine.execution.coordination.pieces import CopyPiece, PartsPiece, released_entries
from engine.locations.base import PartResult
from engine.model import Identity
from engine.transfer.units import IN_PARTS, UnitOutcome, from_ipc

RANGE_BYTES = 64 << 20
"""Bytes of parts that an agent gets at once: what a crash may send again."""

MAX_STARTS = 2
"""A file that changes while it is sent, or comes damaged, is begun once more, then it fails."""

CHANGED = ("changed while read", "it changed each time it was sent")
"""Why it fails, if nothing else is known."""


@dataclass(slots=True)
class _Upload:
    file: LargeFile
    upload_id: str = ""
    identity: Identity | None = None
    parts: dict[int, PartResult] = field(default_factory=dict)
    count: int = 0
    out: int = 0  # ranges that are queued or at an agent
    starts: int = 1
    fault: tuple[str, str] | None = None  # (reason, detail); reason "" begins the file again


class LargeFiles:
    """Files being sent in parts. At most ``limit`` uploads are open; the others wait."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._waiting: list[LargeFile] = []
        self._open: dict[bytes, _Upload] = {}
        self._held: list[LargeFile] = []  # these wait for deletions, and count neither as waiting nor as open
        self._waited: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._open)

    @property
    def waiting(self) -> int:
        """Files whose upload has not begun."""
        return len(self._waiting)

    def add(self, files: Iterable[LargeFile]) -> None:
        """Queue files, the largest first."""
        self._waiting.extend(files)
        self._waiting.sort(key=lambda file: file.size)

    def begin_held(self) -> None:
        """Deletions are over: queue what waited for them."""
        self.add(self._held)
        self._held = []

    def begin(self) -> list[Instruction]:
        """Open as many uploads as the limit allows."""
        begun: list[Instruction] = []
        while self._waiting and len(self._open) < self.limit:
            file = self._waiting.pop()
            self._open[file.path] = _Upload(file)
            begun.append(BeginUpload(file))
        return begun

    def ready(self, event: UploadReady) -> tuple[list[PartsPiece], list[Instruction]]:
        """Cut the missing parts of an opened upload into ranges."""
        upload = self._open[event.path]
        upload.upload_id, upload.identity = event.upload_id, event.identity
        upload.parts = {part.number: part for part in event.parts}
        upload.count = max(1, -(-event.identity.size // event.part_size))
        pieces = [
            PartsPiece(
                event.path,
                event.upload_id,
                event.identity,
                event.part_size,
                first,
                last,
                upload.file.task,
                min(last * event.part_size, event.identity.size) - (first - 1) * event.part_size,
            )
            for first, last in missing_ranges(upload.count, upload.parts, max(1, RANGE_BYTES // event.part_size))
        ]
        upload.out = len(pieces)
        return pieces, self._settle(upload)

    def split(self, piece: PartsPiece, pieces: int) -> None:
        """A range was given out again as ``pieces`` ranges."""
        self._open[piece.path].out += pieces - 1

    def back(self, piece: PartsPiece, outcome: UnitOutcome) -> tuple[list[PartsPiece], list[Instruction]]:
        """A unit of parts came back: the ranges to be given out again, and what is to be done."""
        rows = from_ipc(outcome.table).to_pylist()
        parts = [PartResult(row["number"], row["size"], row["checksum"], row["etag"] or "") for row in rows]
        fault = None
        if outcome.source_changed:
            fault = ("", "it changed while it was sent")
        elif outcome.error:
            reason, _, detail = outcome.error.partition(": ")
            fault = (reason, detail)
        done = {part.number for part in parts}
        wanted = range(piece.first, piece.last + 1)
        again: list[PartsPiece] = []
        if fault is None and len(done) < len(wanted):
            below = [number for number in range(1, piece.last + 1) if number in done or number < piece.first]
            ranges = missing_ranges(piece.last, below, len(wanted))
            self.split(piece, len(ranges) + 1)
            for first, last in ranges:
                size = min((last - first + 1) * piece.part_size, piece.bytes)
                again.append(replace(piece, first=first, last=last, bytes=size, deaths=0))
        return again, self.returned(piece, parts, fault)

    def returned(
        self, piece: PartsPiece, parts: Sequence[PartResult], fault: tuple[str, str] | None
    ) -> list[Instruction]:
        """A range came back with the parts that were sent and, if some were not, why."""
        upload = self._open[piece.path]
        upload.out -= 1
        upload.parts.update((part.number, part) for part in parts)
        upload.fault = upload.fault or fault
        kept: list[Instruction] = [KeepParts(piece.path, parts)] if parts else []
        return kept + self._settle(upload)

    def failing(self, piece: PartsPiece) -> bool:
        """Whether sending ``piece`` is pointless because its file has failed already."""
        return self._open[piece.path].fault is not None

    def ended(self, event: UploadEnded) -> list[Instruction]:
        """A file was completed, failed, or must begin again."""
        upload = self._open.pop(event.path)
        if event.waits and event.path not in self._waited:
            self._waited.add(event.path)
            self._held.append(upload.file)
            return []
        if event.waits:
            self._open[event.path] = upload
            return [AbortUpload(upload.file, "", "another type is in the way", "what is there could not be removed")]
        if not event.restart:
            return []
        if upload.starts >= MAX_STARTS:
            self._open[event.path] = upload
            why = (event.reason, event.detail) if event.reason else CHANGED
            return [AbortUpload(upload.file, "", *why)]
        self._open[event.path] = _Upload(upload.file, starts=upload.starts + 1)
        return [BeginUpload(upload.file)]

    def _settle(self, upload: _Upload) -> list[Instruction]:
        if upload.out:
            return []
        if upload.fault is not None:
            return [AbortUpload(upload.file, upload.upload_id, *upload.fault)]
        if len(upload.parts) < upload.count:
            return []  # released ranges: they are given out on resume
        assert upload.identity is not None
        parts = [upload.parts[number] for number in sorted(upload.parts)]
        return [CompleteUpload(upload.file, upload.upload_id, upload.identity, parts)]


def to_be_cut(piece: CopyPiece, outcome: UnitOutcome) -> list[LargeFile]:
    """The large files that an agent has looked at, as ``piece`` asked, and that have to be sent."""
    back = released_entries(piece.entries, outcome.table, IN_PARTS)
    rows = [] if back is None else back.to_pylist()
    return [
        LargeFile(b"/".join(filter(None, (row["dir"], row["name"]))), row["task"], row["size"], row) for row in rows
    ]


def missing_ranges(count: int, done: Iterable[int], parts_per_range: int) -> list[tuple[int, int]]:
    """Inclusive ranges of the part numbers 1..count that are not in ``done``, each of at most ``parts_per_range``."""
    finished = set(done)
    ranges: list[tuple[int, int]] = []
    for number in range(1, count + 1):
        if number in finished:
            continue
        if ranges and ranges[-1][1] == number - 1 and number - ranges[-1][0] < parts_per_range:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
