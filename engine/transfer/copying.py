"""Copying a unit of entries, wherever they go: claiming rows, trying them again, giving up, the outcome."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable
from typing import cast

from engine.errors import LocationError, SilentSourceError, UnavailableError
from engine.locations.base import HasExtras, OpenFile, Reads
from engine.locations.extras import NOTHING, UNREADABLE, Extras
from engine.locations.posix_files import XATTRS
from engine.locations.s3_options import BAD_CLASS, class_refused
from engine.model import Kind
from engine.names import NameError_
from engine.transfer import retry
from engine.transfer.looks import looking_for
from engine.transfer.reading import TRANSIENT as TRANSIENT
from engine.transfer.reading import fault_of, reason_of
from engine.transfer.retry import Fault
from engine.transfer.rows import Rows
from engine.transfer.shared import Shared
from engine.transfer.units import WAITS, CopyUnit, UnitOutcome, from_ipc, to_ipc

SMALL_FILE = 32 << 20
"""Largest file in bytes that is copied by a CopyUnit; larger ones go in parts."""

FILE, FOLDER, SYMLINK, DEVICE = int(Kind.FILE), int(Kind.FOLDER), int(Kind.SYMLINK), int(Kind.DEVICE)

_FILE_IN_THE_WAY = ("ExistingObjectIsFile", "XMinioParentIsObject")
_FOLDER_IN_THE_WAY = ("ExistingObjectIsDirectory", "XMinioObjectExistsAsDirectory")
_OTHER_TYPE = (*_FILE_IN_THE_WAY, *_FOLDER_IN_THE_WAY)
"""Servers that keep objects as files hold no object beside a folder of its name: the old form must go first."""

_REASONS = {
    **dict.fromkeys(_OTHER_TYPE, "another type is in the way"),
    "BadDigest": "checksum mismatch",
    "KeyTooLongError": "key too long",
    "EntityTooLarge": "too large",
    "stalled": "stalled",
    "unreadable": "unreadable",
    "InvalidObjectState": "archived",
}
_REASON_OF_KIND = {
    retry.Kind.DENIED: "access denied",
    retry.Kind.THROTTLED: "destination busy",
    retry.Kind.TRANSIENT: "transfer error",
    retry.Kind.UNREACHABLE: "destination unreachable",
}


def reason_for(fault: Fault) -> str:
    """The short, stable reason of a file that failed with ``fault``."""
    reason = _REASONS.get(fault.code) or _REASON_OF_KIND.get(fault.kind, "refused by the destination")
    return reason.replace("destination", "source") if fault.at_source else reason


class Copying(ABC):
    """One CopyUnit under way. ``on_outcome`` is called once, by a thread of the crew."""

    def __init__(self, shared: Shared, unit: CopyUnit, agent: str, on_outcome: Callable[[UnitOutcome], None]) -> None:
        self.shared = shared
        self.source = cast("Reads", shared.source)
        self.rows = Rows(from_ipc(unit.entries), lambda: shared.crew.submit(self._finish))
        self.fatal = ""
        self.not_kept: Counter[str] = Counter()
        self._source_extras = shared.source.extras if isinstance(shared.source, HasExtras) else None
        self._keeps_shape = shared.destination.capabilities.transport == "files"
        self._unit = unit
        self._agent = agent
        self._on_outcome = on_outcome
        self._began = time.monotonic()
        self._again: deque[int] = deque()
        self._next = 0
        self._failures: dict[int, tuple[int, float]] = {}
        self._looking = looking_for(shared, self.rows, SMALL_FILE, self.allowed, self.extras)

    looks_aside = True
    """Whether looks are requests to a server: others wait for them."""

    def extras(self, row: int, file: OpenFile | None = None) -> Extras:
        """What the source knows of ``row`` beyond DataSync's keys, see base.HasExtras. Raises OSError.

        The shape too, unless a file keeps it by itself.
        """
        if self._source_extras is None:
            return NOTHING
        found = self._source_extras(self.path(row), file, shape=not self._keeps_shape)
        if found is UNREADABLE:
            self.not_kept[XATTRS] += 1
        return found

    def begin(self) -> None:
        """Let the readers take the rows."""
        if self.rows.count:
            self.shared.readers.add(self)
        else:
            self.shared.crew.submit(self._finish)

    def allowed(self) -> bool:
        """Whether rows may still be sent."""
        return not self.fatal and self.shared.control.allows(self._unit.epoch)

    def claim(self, limit: int) -> deque[int]:
        """Take rows: first those to be tried again."""
        share: deque[int] = deque()
        while self._again and len(share) < limit:
            share.append(self._again.popleft())
        end = min(self.rows.count, self._next + limit - len(share))
        share.extend(range(self._next, end))
        self._next = end
        return share

    def give_back(self, rows: deque[int]) -> None:
        """Rows that were claimed and not begun."""
        self._again.extend(rows)

    def retry(self, row: int) -> None:
        """Try ``row`` again now."""
        self._again.append(row)
        self.shared.readers.wake()

    def path(self, row: int) -> bytes:
        """The path of a row."""
        return self.rows.path(row)

    def process(self, row: int) -> None:
        """Copy one row, or begin to, after what has to be found out about it. Never raises."""
        if self._looking is None or not self._looking.wanted(row):
            self._guarded(row, self.copy)
        elif self.looks_aside:
            self.shared.lookers.submit(lambda: self._guarded(row, self.look_aside))
        else:
            self._guarded(row, self._look_and_copy)

    def _look_and_copy(self, row: int) -> None:
        if self._looking is not None and not self._looking.settle(row):
            self.copy(row)

    def look_aside(self, row: int) -> None:
        """On a thread of the crew: one request each, while readers go on with other rows."""
        if not self.shared.gate.enter(self.allowed):
            self.rows.released(row)
            return
        try:
            settled = self._looking is not None and self._looking.settle(row)
        finally:
            self.shared.gate.leave()
        if not settled:
            self.retry(row)

    def _guarded(self, row: int, work: Callable[[int], None]) -> None:
        try:
            if self.allowed():
                work(row)
            else:
                self.rows.released(row)
        except FileNotFoundError:
            self._not_there(row)
        except OSError as error:
            self._not_read(row, error)
        except (SilentSourceError, UnavailableError) as error:
            self.failed(row, Fault(retry.Kind.TRANSIENT, "unavailable", str(error)))
        except LocationError as error:
            self.stop(row, str(error))
        except NameError_ as error:
            self.rows.failed(row, error.reason, error.detail)
        except Exception as error:
            self.rows.failed(row, "unexpected error", f"{type(error).__name__}: {error}")

    @abstractmethod
    def copy(self, row: int) -> None:
        """Copy ``row``, or begin to, and see to it that it is resolved. Raises OSError if the source cannot be read."""

    def failed(self, row: int, fault: Fault) -> None:
        """An attempt at ``row`` failed: try again later, or give up."""
        kind = fault.kind
        if self._may_go(fault):
            self.rows.released(row, WAITS)
        elif kind is retry.Kind.EXISTS:
            self.rows.skipped(row, "exists")
        elif kind is retry.Kind.CANCELLED:
            self.rows.released(row)
        elif row not in self._failures and self.shared.renews(fault):
            self._try_later(row, fault)
        else:
            attempt = self._failures.get(row, (0, 0.0))[0] + 1
            of_all = retry.concerns_all(kind, attempt, succeeded=self.shared.succeeded)
            if of_all:
                self.stop(row, self._in_words(fault))
            elif of_all is None or retry.retryable(kind):
                self._try_later(row, fault)
            else:
                self.rows.failed(row, reason_for(fault), str(fault))

    def _may_go(self, fault: Fault) -> bool:
        """Whether what is in the way may be removed: a file that became a folder is overwritten by that.

        What a folder holds that became a file is not: the source lacks it, and so it is deleted or preserved.
        """
        options = self.shared.config.options
        removes = fault.code in _OTHER_TYPE and options.preserve_deleted_files == "REMOVE"
        return removes or (fault.code in _FILE_IN_THE_WAY and options.overwrite_mode == "ALWAYS")

    def _in_words(self, fault: Fault) -> str:
        spec = self.shared.config.destination
        if fault.code == BAD_CLASS and spec.storage_class:
            return class_refused(spec.storage_class, spec.url)
        return str(fault)

    def stop(self, row: int, why: str) -> None:
        """Nothing else can be sent either."""
        self.fatal = why
        self.rows.released(row)
        self.shared.later.wake()

    def _not_there(self, row: int) -> None:
        problem = self.shared.source_problem()
        if problem:
            self.stop(row, problem)
        else:
            self.rows.skipped(row, "vanished")

    def _not_read(self, row: int, error: OSError) -> None:
        fault = fault_of(error)
        if fault is not None:
            self.failed(row, fault)
        else:
            self.rows.failed(row, *reason_of(error))

    def _try_later(self, row: int, fault: Fault) -> None:
        shared = self.shared
        if fault.kind is retry.Kind.THROTTLED:
            shared.gate.slowed()
        now = shared.control.clock()
        count, first = self._failures.get(row, (0, now))
        self._failures[row] = (count + 1, first)
        delay = retry.delay(count + 1, now - first, shared.config.retry_seconds, random.random())
        if delay is not None:
            shared.later.add(delay, self, row)
        elif fault.kind is retry.Kind.UNREACHABLE:
            self.stop(row, str(fault))
        else:
            self.rows.failed(row, reason_for(fault), str(fault))

    def _finish(self) -> None:
        self.shared.readers.remove(self)
        self._on_outcome(
            UnitOutcome(
                self._unit.id,
                self._unit.epoch,
                to_ipc(self.rows.table(self._agent)),
                fatal=self.fatal,
                seconds=time.monotonic() - self._began,
                not_kept=dict(self.not_kept),
            )
        )
