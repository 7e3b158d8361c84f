"""How many agents, on how many hosts, some work can use: each more has to save as long as it takes to have it. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from engine.planning.capacity import busy_seconds, fleet
from engine.planning.estimate import PART_BYTES, EstimateOptions
from engine.planning.values import Dataset, PlanLimit, Scope
from engine.quantities import format_count, format_duration, format_rate

AGENT_SECONDS = 1.5
"""From the command to the first byte of an agent, as measured for docs/benchmarks.md."""

HOST_SECONDS = 600.0
"""What it takes a person to have one more host ready for agents: a guess, and a low one."""

SOON_SECONDS = 10.0
"""A target that would save less is not worth a word about why it is not reached."""

BATCH_FILES, BATCH_BYTES = 1_000, 64 << 20
"""What an agent gets at once of files that are sent whole; as in ``execution/expand``."""

_SAME = 1 - 1e-9

Kind = Literal["pieces", "tasks", "largest file", "start", "host", "soon"]


class WorkLimit(msgspec.Struct, frozen=True):
    """Why fewer agents are planned than a target takes: the work gives no more of them anything worth doing.

    ``target_agents`` on ``target_hosts`` would reach the target, or come closest to it, and be done ``saves`` seconds
    (likely) earlier. ``pieces``: into how many the work divides at most. The kind ``soon``: whatever limits the fleet,
    reaching the target would save next to nothing (``saves``).
    """

    kind: Kind
    pieces: int
    target_agents: int
    target_hosts: int
    saves: float

    @property
    def why(self) -> str:
        """What more agents would meet, as the end of a sentence."""
        match self.kind:
            case "pieces":
                many = "one piece" if self.pieces == 1 else f"{format_count(self.pieces)} pieces"
                return f"it divides into {many}, and an agent does one at a time"
            case "tasks":
                many = "one task" if self.pieces == 1 else f"{format_count(self.pieces)} tasks"
                return f"it is cut into {many}, and no agent helps with the task of another"
            case "largest file":
                return "one agent sends the largest file, and it takes as long whatever the others do"
            case "start":
                return f"another agent would save less than the {AGENT_SECONDS:.1f} s that it takes to start"
            case "host":
                return f"another host would save less than the {format_duration(HOST_SECONDS)} it takes to prepare one"
            case "soon":
                return f"reaching the target would save less than {SOON_SECONDS:.0f} s"

    def said(self, target: float) -> str:
        """What a target in bytes/s would take, and why that is not planned."""
        if self.kind == "soon":
            return f"the target of {format_rate(target)} is not reached, which does not matter: {self.why}"
        many = "1 agent" if self.target_agents == 1 else f"{format_count(self.target_agents)} agents"
        hosts = "" if self.target_hosts == 1 else f" on {format_count(self.target_hosts)} hosts"
        sooner = "less than 1 s" if self.saves < 1 else format_duration(self.saves)
        return f"a target of {format_rate(target)} would take {many}{hosts}, to be done {sooner} sooner: {self.why}"

    @property
    def lift(self) -> str:
        """What would help, if anything."""
        return "cut it into more tasks" if self.kind == "tasks" else "nothing that is worth it"


class Work(NamedTuple):
    """Seconds of a dataset where one agent, one host, or what all of them share is the limit.

    ``pieces``: so many agents have something to do at most. ``tail``: seconds of one agent with the last piece, which
    has the share ``last`` of all bytes (estimate.tail_seconds).
    """

    agent: float
    host: float
    shared: float
    tail: float
    last: float
    pieces: int

    def busy(self, agents: int, hosts: int) -> float:
        """Seconds until the last piece begins, and as much of it as goes on beside others."""
        return max(self.agent / min(agents, self.pieces), self.host / hosts, self.shared)

    def seconds(self, agents: int, hosts: int) -> float:
        """Likely seconds of copying; never more with more agents or hosts."""
        busy = self.busy(agents, hosts)
        return busy + max(0.0, self.tail - busy * self.last)


class Useful(NamedTuple):
    """As many as are worth it."""

    agents: int
    hosts: int


def work_of(limits: Sequence[PlanLimit], dataset: Dataset, options: EstimateOptions) -> Work:
    """What ``dataset`` is to agents under ``limits``."""
    seconds = {"agent": 0.0, "host": 0.0, "shared": 0.0}
    for scope in dict.fromkeys(each.scope for each in limits):
        [one] = fleet([each for each in limits if each.scope == scope], 1).scopes
        of = _of(scope)
        seconds[of] = max(seconds[of], sum(busy_seconds(dataset, one)))
    last = dataset.largest_bytes if options.whole_files else min(dataset.largest_bytes, PART_BYTES)
    share = last / dataset.bytes if dataset.bytes else 0.0
    tail = last / fleet(limits, 1).bytes_per_second.value
    return Work(**seconds, tail=tail, last=min(1.0, share), pieces=pieces_of(dataset, whole_files=options.whole_files))


def pieces_of(dataset: Dataset, *, whole_files: bool = False) -> int:
    """Into how many pieces it can be dealt at most: batches of small files, parts of large ones; at least one.

    Files of a size that may be sent whole or in parts count as parts. ``whole_files``: nothing is cut (DataSync).
    """
    if whole_files:
        return max(1, dataset.files + dataset.others)
    known = [(each.files, each.bytes) for each in dataset.bins]
    files, size = (sum(column) for column in zip(*known, strict=True)) if known else (0, 0)
    pieces, batches = 0, (0, 0)
    for count, content in [*known, (dataset.files - files, dataset.bytes - size), (dataset.others, 0)]:
        if content > count * PART_BYTES:
            pieces += math.ceil(content / PART_BYTES)
        else:
            batches = batches[0] + max(0, count), batches[1] + max(0, content)
    return max(1, pieces + max(math.ceil(batches[0] / BATCH_FILES), math.ceil(batches[1] / BATCH_BYTES)))


def useful(work: Work, agents: int, hosts: int) -> Useful:
    """What of a fleet of ``agents`` on at most ``hosts`` is worth it: for it the time and the having of it are least.

    The time falls ever more slowly as agents are added, so that the first one that does not earn its start is found by
    halving; hosts are tried one by one, until having them takes longer than all does without.
    """
    best, found = math.inf, Useful(1, 1)
    for count in range(1, min(hosts, work.pieces) + 1):
        had = HOST_SECONDS * (count - 1)
        if had >= best:
            break
        most = _most(work, agents, count)
        all_in = work.seconds(most, count) + AGENT_SECONDS * most + had
        if all_in < best * _SAME:
            best, found = all_in, Useful(most, count)
    return found


def limited(
    work: Work, found: Useful, agents: int, hosts: int, *, whole_files: bool, tasks: int | None = None
) -> WorkLimit | None:
    """What keeps ``found`` below ``agents`` on ``hosts``; None if nothing does. ``tasks``: what pieces may be."""
    if found.agents >= agents and found.hosts >= hosts:
        return None
    now = work.seconds(found.agents, found.hosts)
    saves = max(0.0, now - work.seconds(agents, hosts))
    kind = _kind(work, found, hosts, whole_files=whole_files)
    if kind == "pieces" and work.pieces == tasks:
        kind = "tasks"
    return WorkLimit(kind, work.pieces, agents, hosts, saves)


def soon_done(work: Work, found: Useful, least_seconds: float) -> WorkLimit | None:
    """That it does not matter what keeps ``found`` from a target at which all took ``least_seconds``, if so."""
    saves = work.seconds(found.agents, found.hosts) - least_seconds
    return None if saves >= SOON_SECONDS else WorkLimit("soon", work.pieces, *found, max(0.0, saves))


def _kind(work: Work, found: Useful, hosts: int, *, whole_files: bool) -> Kind:
    if found.agents >= work.pieces:
        return "pieces"
    busy = work.busy(found.agents, found.hosts)
    if found.hosts < hosts and work.host / found.hosts >= busy * _SAME:
        return "host"
    return "largest file" if whole_files and work.tail >= work.busy(found.agents + 1, hosts) else "start"


def _of(scope: Scope) -> str:
    if scope in ("agent", "connection", "task"):
        return "agent"
    return "host" if scope in ("host", "mount") else "shared"


def _most(work: Work, agents: int, hosts: int) -> int:
    """The fewest agents on ``hosts``, one each at least, of which the next would save less than it takes to start."""
    counts = range(hosts, max(hosts, min(agents, work.pieces)) + 1)

    def saved_enough(number: int) -> bool:
        return work.seconds(number, hosts) - work.seconds(number + 1, hosts) <= AGENT_SECONDS

    return counts[bisect_left(counts, True, key=saved_enough, hi=len(counts) - 1)]
