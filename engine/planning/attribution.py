"""Where the time of agents went, from two readings of their counters. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.model import AgentTimes
from engine.planning.measurement import Shares

PARALLEL_CORES = 1.3
"""An interpreter runs one thread at a time: up to here all threads count together; above, libraries work beside it."""


def between(first: AgentTimes, last: AgentTimes) -> AgentTimes:
    """What was added from one reading of an agent to a later one."""
    changes = {name: max(0.0, getattr(last, name) - getattr(first, name)) for name in _SECONDS}
    return AgentTimes(**changes, slowed=max(0, last.slowed - first.slowed))


_SECONDS = ("clock", "source", "destination", "limited", "idle", "cpu", "busiest")


def shares_of(spent: Sequence[AgentTimes]) -> Shares:
    """Shares of the time of several agents; all zero if there is none.

    CPU (of the busiest thread, or of all that take turns) and idleness are shares of the clock. The rest is divided by
    what the threads that move files waited for; while none of them waited at all, requests were in flight: the
    destination's. Of what is the destination's the bandwidth limit gets the share of time in which somebody waited for
    it.
    """
    clock = sum(each.clock for each in spent)
    if clock <= 0:
        return Shares()
    idle = min(1.0, sum(each.idle for each in spent) / clock)
    cores = cores_of(spent)
    busiest = sum(each.busiest for each in spent) / clock
    cpu = min(1.0 - idle, max(busiest, cores if cores <= PARALLEL_CORES else 0.0))
    rest = 1.0 - idle - cpu
    source = sum(each.source for each in spent)
    destination = max(sum(each.destination for each in spent), rest * clock - source)
    reading = source / (source + destination) if source + destination > 0 else 0.0
    limited = waited_of(spent)
    waiting = rest * (1.0 - reading)
    return Shares(rest * reading, cpu, waiting * (1.0 - limited), waiting * limited, idle)


def waited_of(spent: Sequence[AgentTimes]) -> float:
    """Share of the agents' time in which somebody waited for the bandwidth limit."""
    clock = sum(each.clock for each in spent)
    return min(1.0, sum(each.limited for each in spent) / clock) if clock > 0 else 0.0


def cores_of(spent: Sequence[AgentTimes]) -> float:
    """Processors that one agent kept busy."""
    clock = sum(each.clock for each in spent)
    return sum(each.cpu for each in spent) / clock if clock > 0 else 0.0
