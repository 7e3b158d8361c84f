"""The report as one HTML page: no script, nothing loaded from elsewhere, light and dark, fit for printing. Pure.

Everything that came from outside is escaped, and what cannot be seen in it is made visible.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from engine.names import visible
from engine.quantities import format_bytes, format_count, format_duration, format_rate
from engine.reporting.charts import Bar, Point, bars, over_time, spark
from engine.reporting.reasons import VERIFIED, skipped

LEAST_GAP_SECONDS = 30.0
"""Samples further apart, and further than three of their usual distances, are two sessions: no line joins them."""

_LEDGER = ("discovered", "transferred", "skipped", "failed", "excluded", "pending", "deleted", "verified")

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --soft: #59636e; --rule: #d0d7de; --mark: #0a6ebd;
  --good: #1a7f37; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --ink: #e6edf3; --soft: #9aa5b1; --rule: #353c45;
  --mark: #58a6ff; --good: #3fb950; --bad: #ff7b72; } }
@media print { :root { color-scheme: light; --page: #fff; --ink: #000; --soft: #333; --rule: #999; --mark: #0a6ebd;
  --good: #1a7f37; --bad: #b3261e; } section { break-inside: avoid; } body { margin: 0; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 62rem; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--rule); }
td, .wrap { overflow-wrap: anywhere; } .number { text-align: right; }
th.key { width: 12rem; font-weight: normal; color: var(--soft); }
svg { display: block; width: 100%; height: auto; } svg.spark { width: 10rem; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.grid { stroke: var(--rule); } .bar { fill: var(--mark); } .area { fill: var(--mark); fill-opacity: .25; }
.line { fill: none; stroke: var(--mark); stroke-width: 1.5; }
.scroll { overflow-x: auto; }
"""

_HEAD = (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)


def render(report: Mapping[str, Any]) -> str:
    """The page of a report as ``report.json`` has it; sections whose figures it lacks are left out."""
    name = report.get("profile") or report["execution"]
    sections = [
        _head(report, name),
        _section("Ledger", _ledger(report)),
        _section("Throughput", _throughput(report.get("throughput", []))),
        _section("By agent", _agents(report.get("agents", []), report.get("agents_sent", {}))),
        _section("Sizes of the files transferred", _sizes(report.get("sizes", []))),
        _section("How the files were verified", _verified(report.get("verified", {}))),
        _section("Why files were skipped", _skipped(report)),
        _section("Deletions", _figures(report.get("deletions"))),
        _section("Drift of the destination", _figures(report.get("drift"))),
        _section("Failures by reason", _failure_chart(report["failure_counts"])),
        _section("Failures", _failures(report)),
        _section("Tasks", _tasks(report["tasks"])),
        _section("Source, destination and options", _settings(report.get("migration", {}))),
    ]
    foot = f'<p class="soft">Every file acted on is in {_text(report["audit_trail"])}</p>'
    title = f"<title>{_text(name)}: {_text(report['status'])}</title><style>{_STYLE}</style></head><body>"
    return f"{_HEAD}{title}{''.join(sections)}{foot}</body></html>\n"


def _head(report: Mapping[str, Any], name: str) -> str:
    tone = "good" if report["status"] == "SUCCESS" else "bad"
    sending = report["transfer_seconds"]
    rate = f", {format_rate(report['BytesTransferred'] / sending)} while transferring" if sending else ""
    moved = f"{format_bytes(report['BytesTransferred'])} in {format_duration(report['seconds'])}{rate}"
    rows = [
        ("Execution", report["execution"]),
        *([("Covers", f"only what had failed in {report['retry']['of']}")] if report.get("retry") else []),
        ("Source", report["source"]),
        ("Destination", report["destination"]),
        ("Started", _moment(report["started_at"])),
        ("Ended", _moment(report["ended_at"])),
        *([("Host", report["host"])] if "host" in report else []),
    ]
    message = f'<p class="bad">{_text(report["message"])}</p>' if report["message"] else ""
    status = f'<p><strong class="{tone}">{_text(report["status"])}</strong> {escape(moved)}</p>'
    return f"<header><h1>{_text(name)}</h1>{status}{message}{_pairs(rows)}</header>"


def _ledger(report: Mapping[str, Any]) -> str:
    rows = [[kind, *(format_count(report[kind].get(word, 0)) for word in _LEDGER)] for kind in ("files", "folders")]
    sizes = report["bytes"]
    total = (
        f"Files found: {format_count(sizes['source'])} bytes; transferred: {format_count(sizes['transferred'])} bytes."
    )
    listed = "" if report["listing_complete"] else " The listing is not complete: there are more."
    listed += _listed_before(report.get("listed_before"))
    return f'{_table(["", *_LEDGER], rows, 1)}<p class="soft">{total}{listed}</p>{_deletions(report)}'


def _listed_before(found: Mapping[str, Any] | None) -> str:
    """What a run that went on with an interrupted one could not see."""
    if not found:
        return ""
    what = "The source was listed" if found["complete"] else "It went on, and did not list again what was listed"
    span = f"{_moment(found['began_at'])} - {_moment(found['ended_at'])}"
    return f" {what} {span}: what changed there since then is for the next run."


def _deletions(report: Mapping[str, Any]) -> str:
    """What the destination holds and the source does not; nothing if nobody looked."""
    found = report.get("deletions")
    if not found:
        return ""
    if found["held_back"]:
        return f'<p class="bad">Nothing was deleted: {_text(found["held_back"])}</p>'
    foreign = found["foreign_files"] + found["foreign_folders"]
    kept = f" {format_count(foreign)} entries that xsync did not put there stay." if foreign else ""
    versions = " The bucket keeps versions: noncurrent ones stay and cost." if found["versioned"] else ""
    return f'<p class="soft">Deletion list: {_text(found["listed_in"])}.{kept}{versions}</p>'


def _throughput(samples: Sequence[Mapping[str, float]]) -> str:
    if len(samples) < 2:
        return ""
    times = [sample["at"] for sample in samples]
    usual = sorted(after - before for before, after in pairwise(times))[len(times) // 2 - 1]
    gap = max(LEAST_GAP_SECONDS, 3 * usual)
    charts = []
    for title, column, written in (
        ("Bytes per second", "bytes_per_second", format_rate),
        ("Files per second", "files_per_second", _files_rate),
    ):
        points = [Point(sample["at"], sample[column]) for sample in samples]
        if any(point.value for point in points):
            charts.append(f'<p class="soft">{title}</p>{over_time(title + " over time", points, written, gap)}')
    return "".join(charts)


def _agents(agents: Sequence[Mapping[str, Any]], sent: Mapping[str, int]) -> str:
    if not agents:
        return ""
    named = [agent | {"agent": agent["agent"] or "several, in parts"} for agent in map(dict, agents)]
    chart = bars("Bytes by agent", [Bar(visible(name), n, format_bytes(n)) for name, n in sent.items()])
    top = max((max(agent["bytes_by_time"]) for agent in named), default=0)
    rows = "".join(
        f'<tr><td>{_text(agent["agent"])}</td><td class="number">{format_count(agent["files"])}</td>'
        f'<td class="number">{format_count(agent["bytes"])}</td>'
        f"<td>{spark(visible(agent['agent']) + ' over time', agent['bytes_by_time'], top)}</td></tr>"
        for agent in named
    )
    heads = '<th>agent</th><th class="number">files</th><th class="number">bytes</th><th>over time</th>'
    return (
        f'<p class="soft">Bytes sent in the last session, parts of large files included</p>{chart}'
        f'<p class="soft">Files finished</p><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _sizes(sizes: Sequence[Mapping[str, int]]) -> str:
    if not sizes:
        return ""
    labels = [_bin(size["from"], size["to"]) for size in sizes]
    files = [Bar(label, s["files"], format_count(s["files"])) for label, s in zip(labels, sizes, strict=True)]
    volume = [Bar(label, s["bytes"], format_bytes(s["bytes"])) for label, s in zip(labels, sizes, strict=True)]
    return (
        f'<p class="soft">Files</p>{bars("Files by size", files)}'
        f'<p class="soft">Bytes</p>{bars("Bytes by size", volume)}'
    )


def _skipped(report: Mapping[str, Any]) -> str:
    rows = skipped(report)
    return _table(["", "files"], rows, 1) if rows else ""


def _verified(verified: Mapping[str, int]) -> str:
    return _table(["", "files"], [[VERIFIED.get(how, how), format_count(n)] for how, n in verified.items()], 1)


def _figures(figures: Mapping[str, Any] | None) -> str:
    """What is not zero or empty of some figures, by their names."""
    rows = [
        (name.replace("_", " "), format_count(value) if isinstance(value, int) else value)
        for name, value in (figures or {}).items()
        if value
    ]
    return _pairs(rows) if rows else ""


def _failure_chart(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return bars("Failures by reason", [Bar(visible(why), n, format_count(n)) for why, n in ordered]) if counts else ""


def _failures(report: Mapping[str, Any]) -> str:
    failures, count = report["failures"], sum(report["failure_counts"].values())
    rest = f'<p class="soft">The first {len(failures)} of {format_count(count)}.</p>' if count > len(failures) else ""
    rows = [[failure["path"], failure["reason"], failure["detail"]] for failure in failures]
    return _table(["path", "reason", "detail"], rows) + rest if rows else ""


def _tasks(tasks: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            task["name"],
            *(format_count(task["files"].get(word, 0)) for word in ("discovered", "transferred", "failed")),
            format_bytes(task["bytes"]["transferred"]),
        ]
        for task in tasks
    ]
    return _table(["task", "discovered", "transferred", "failed", "bytes transferred"], rows, 1) if rows else ""


def _settings(migration: Mapping[str, Any]) -> str:
    rows = [
        (f"{section}: {key}", ", ".join(map(str, value)) if isinstance(value, list | tuple) else value)
        for section in ("source", "destination", "filters", "options")
        for key, value in migration.get(section, {}).items()
        if value is not None
    ]
    return _pairs(rows) if rows else ""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 99) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="number">{_text(cell)}</{tag}>'
            if column >= numbers_from
            else f"<{tag}>{_text(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', heads)}</tr></thead>"
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>' if body else ""


def _pairs(rows: Iterable[tuple[str, object]]) -> str:
    lines = (f'<tr><th class="key">{_text(key)}</th><td>{_text(value)}</td></tr>' for key, value in rows)
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def _text(value: object) -> str:
    return escape(visible(str(value)), quote=True)


def _moment(at: float | None) -> str:
    return "-" if at is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _bin(low: int, high: int) -> str:
    return "empty" if high == 1 else f"{format_bytes(low)} to {format_bytes(high)}"


def _files_rate(value: float) -> str:
    return f"{value:,.0f}/s"
