"""What all units of an agent share: orders, request window, memory, threads, transports and counters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from engine.errors import LocationError
from engine.locations.base import CopiesObjects, Location
from engine.transfer.buffers import Buffers
from engine.transfer.control import Control, Gate
from engine.transfer.crew import Crew
from engine.transfer.crt import Client
from engine.transfer.later import Later
from engine.transfer.readers import Readers
from engine.transfer.retry import Fault
from engine.transfer.spent import Spent
from engine.transfer.target import Target, target_of
from engine.transfer.throttle import Throttle
from engine.transfer.units import AgentConfig

if TYPE_CHECKING:
    from engine.transfer.sender import Sender

NETWORK_READERS = 16
"""Reader threads where latency rules."""

SENDERS = 16
"""Connections for large bodies, each with a thread."""


class Watched(Protocol):
    """A request in flight that is cancelled at its deadline (monotonic seconds)."""

    deadline: float

    def cancel(self) -> None:
        """Stop it; it fails and may be tried again."""


class Shared:
    """Made once an agent; the transports are opened when the first object is sent."""

    def __init__(self, config: AgentConfig, source: Location, destination: Location) -> None:
        self.config = config
        self.source = source
        self.destination = destination
        self.control = Control()
        self.spent = Spent(self.control.clock)
        self.gate = Gate(self.control, config.window, tunes=config.tunes, spent=self.spent)
        self.throttle = Throttle(self.control.clock, spent=self.spent.destination)
        self.buffers = Buffers(config.memory_bytes, self.spent.destination)
        self.readers = Readers(_reader_count(config, source, destination), self.control.clock, self.spent.source)
        self.crew = Crew(SENDERS, "xsync-sender")
        self.lookers = Crew(SENDERS, "xsync-look")  # they wait for the gate, which those in the crew hold
        self.later = Later(self.control.clock, self._look)
        self.files = 0
        self.bytes = 0
        self.succeeded = False
        self.in_flight: dict[int, Watched] = {}
        self.active: dict[int, bytes] = {}
        self._count_lock = threading.Lock()
        self._open_lock = threading.Lock()
        self._client: Client | None = None
        self._sender: Sender | None = None
        self._target: Target | None = None

    @property
    def target(self) -> Target:
        """How to reach the object store. Raises LocationError."""
        if self._target is None:
            self._target = target_of(self.destination, self.config.destination)
        return self._target

    @property
    def client(self) -> Client:
        """The transport of small objects."""
        if self._client is None:
            with self._open_lock:
                if self._client is None:
                    self._client = Client(self.target)
        return self._client

    @property
    def sender(self) -> Sender:
        """The transport of large bodies."""
        client = self.client
        if self._sender is None:
            from engine.transfer.sender import Sender  # with it comes urllib3, which only some destinations need

            with self._open_lock:
                if self._sender is None:
                    self._sender = Sender(self.target, client, SENDERS, self.config.stall_seconds)
        return self._sender

    @property
    def copies_itself(self) -> bool:
        """Whether the destination can copy objects of the source by itself."""
        return isinstance(self.destination, CopiesObjects) and self.destination.copies_from(self.source)

    def source_problem(self) -> str:
        """Why nothing that the source lacks may count as gone: its mount vanished, say. Empty if it is what it was."""
        expected = self.config.source_identity
        try:
            found = self.source.identity()
        except (LocationError, OSError) as error:
            return f"the source cannot be reached any more: {error}"
        if not expected or found == expected:
            return ""
        return f"the source is not what it was (it was {expected}, it is {found}): is its file system still mounted?"

    def count(self, files: int, size: int) -> None:
        """Count progress; ``size`` may be negative when bytes have to be sent again."""
        with self._count_lock:
            self.files += files
            self.bytes += size
            self.succeeded = self.succeeded or files > 0

    def renews(self, fault: Fault) -> bool:
        """Whether another attempt may find newer credentials than the expired ones that caused ``fault``."""
        if fault.code != "ExpiredToken" or fault.at_source:
            return False
        self.client.renew_credentials()
        return True

    def pause(self, seconds: float, allowed: Callable[[], bool]) -> None:
        """Wait before the next attempt, no longer than ``allowed()``."""
        until = self.control.clock() + seconds
        while allowed() and (left := until - self.control.clock()) > 0:
            time.sleep(min(left, 0.2))

    def _look(self) -> None:
        """Cancel what stalled, replace what hangs, let waiters see new orders."""
        now = self.control.clock()
        for request in list(self.in_flight.values()):
            if now >= request.deadline:
                request.cancel()
        self.readers.replace_hung()
        self.gate.tune(self.files, self.bytes)

    def close(self) -> None:
        """End threads and connections; units should have ended."""
        self.later.close()
        self.readers.close()
        self.crew.close()
        self.lookers.close()
        if self._sender is not None:
            self._sender.close()
        if self._client is not None and not self.gate.in_flight:
            self._client.close()


def _reader_count(config: AgentConfig, source: Location, destination: Location) -> int:
    if config.reader_threads:
        return config.reader_threads
    to_files = destination.capabilities.transport == "files"
    if source.capabilities.network or (to_files and destination.capabilities.network):
        return NETWORK_READERS
    return 2 if to_files else 1
