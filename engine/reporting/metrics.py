"""An execution for Prometheus: a file for node_exporter's textfile collector (name it ``*.prom``), replaced whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.catalog.files import replacing
from engine.model import Snapshot, Status, Tally

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Series = tuple[dict[str, str], float]


def write_metrics(path: Path, snapshot: Snapshot) -> None:
    """Put the execution as it is now into ``path``. Raises OSError."""
    with replacing(path) as file:
        file.write(render(snapshot).encode())


def render(snapshot: Snapshot) -> str:
    """The text exposition format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
    common = {"execution": snapshot.execution, "profile": snapshot.profile or ""}
    return "".join(_family(name, text, series, common) for name, text, series in _families(snapshot))


def _families(snapshot: Snapshot) -> Iterator[tuple[str, str, list[Series]]]:
    totals, low_high = snapshot.totals, snapshot.eta_seconds or ()
    states: dict[str, int] = {}
    for agent in snapshot.agents:
        states[agent.state] = states.get(agent.state, 0) + 1
    found, moved, left = totals.bytes.source, totals.bytes.transferred, totals.bytes.pending
    sizes = {"found": found, "transferred": moved, "pending": left}
    yield (
        "info",
        "What runs where; always 1.",
        [({"source": snapshot.source, "destination": snapshot.destination, "host": snapshot.host}, 1)],
    )
    yield "status", "1 for the present status.", [({"status": s.value}, float(s is snapshot.status)) for s in Status]
    yield "start_time_seconds", "When it started.", [({}, snapshot.started_at)]
    yield "end_time_seconds", "When it ended.", [({}, at) for at in (snapshot.ended_at,) if at is not None]
    yield "heartbeat_time_seconds", "When its runner last gave a sign of life.", [({}, snapshot.heartbeat_at)]
    yield "files", "Files by what became of them; discovered is their sum.", _tally(totals.files)
    yield "folders", "Folders by what became of them.", _tally(totals.folders)
    yield "bytes", "Bytes found, transferred and left.", [({"outcome": key}, n) for key, n in sizes.items()]
    yield "files_per_second", "Present rate of files.", [({}, snapshot.files_per_second)]
    yield "bytes_per_second", "Present rate of bytes.", [({}, snapshot.bytes_per_second)]
    yield "listing_complete", "1 when all is listed.", [({}, float(totals.listing_complete))]
    yield "agents", "Agents by state.", [({"state": state}, n) for state, n in sorted(states.items())]
    yield "failures", "Failures by reason.", [({"reason": why}, n) for why, n in snapshot.failure_counts.items()]
    yield (
        "remaining_seconds",
        "Estimate of what is left.",
        [({"bound": bound}, seconds) for bound, seconds in zip(("low", "high"), low_high, strict=False)],
    )


def _tally(counts: Tally) -> list[Series]:
    words = ("discovered", "transferred", "skipped", "failed", "excluded", "deleted", "verified", "pending")
    return [({"outcome": word}, getattr(counts, word)) for word in words]


def _family(name: str, text: str, series: list[Series], common: Mapping[str, str]) -> str:
    if not series:
        return ""
    lines = [f"# HELP xsync_{name} {text}", f"# TYPE xsync_{name} gauge"]
    for labels, value in series:
        said = ",".join(f'{key}="{label.translate(_ESCAPES)}"' for key, label in {**common, **labels}.items())
        lines.append(f"xsync_{name}{{{said}}} {value!r}")
    return "\n".join(lines) + "\n"
