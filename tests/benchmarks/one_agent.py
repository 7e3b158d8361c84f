"""One agent without a runner: ``python -m tests.benchmarks.one_agent SOURCE URL BUCKET NUMBER AGENTS WINDOW``.

Sends its share of the files below SOURCE; WINDOW requests in flight, 0: as many as it finds best. Prints "ready", waits
for a line, and prints when it began and ended (seconds of the monotonic clock).
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from concurrent.futures import Future
from typing import cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from engine.locations.base import Inspects
from engine.locations.registry import open_location
from engine.model import FilterSpec, Kind, LocationSpec, TransferOptions
from engine.transfer.engine import Engine
from engine.transfer.units import AgentConfig, CopyUnit, UnitOutcome, to_ipc

_BATCH = 1_000
_UNITS_AT_ONCE = 2


def main() -> None:
    """Send, and say how long it took."""
    source, url, bucket, number, agents, window = sys.argv[1:]
    place = LocationSpec(source)
    config = AgentConfig(
        execution="bench",
        source=place,
        destination=LocationSpec(f"s3://{bucket}/agents", endpoint_url=url),
        filters=FilterSpec(),
        options=TransferOptions(),
    )
    if window != "0":
        config = msgspec.structs.replace(config, window=int(window), tunes=False)
    engine = Engine(config, f"agent-{int(number) + 1}")
    units = _units(place, int(number), int(agents))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    _send(engine, units)
    print(json.dumps([began, time.monotonic()]), flush=True)
    engine.close()


def _units(place: LocationSpec, number: int, agents: int) -> list[CopyUnit]:
    rows = pa.concat_tables(cast("Inspects", open_location(place)).stored())
    files = rows.filter(pc.equal(rows["kind"], int(Kind.FILE)))
    batches = [files.slice(start, _BATCH) for start in range(0, files.num_rows, _BATCH)]
    return [CopyUnit(unit, unit, to_ipc(batch)) for unit, batch in enumerate(batches) if unit % agents == number]


def _send(engine: Engine, units: list[CopyUnit]) -> None:
    flying: deque[Future[UnitOutcome]] = deque()
    for unit in units:
        flying.append(engine.submit(unit))
        if len(flying) == _UNITS_AT_ONCE:
            flying.popleft().result()
    while flying:
        flying.popleft().result()


if __name__ == "__main__":
    main()
