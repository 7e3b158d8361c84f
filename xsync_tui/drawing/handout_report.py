"""The report of an execution as Markdown, for who does not have the app. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from engine.quantities import counted, format_bytes, format_count, format_duration, format_rate, format_share
from engine.reporting.reasons import VERIFIED, skipped
from xsync_tui.cli.clock import moment
from xsync_tui.cli.outcome import foretold, remedy_for
from xsync_tui.drawing.markdown import MOST_ROWS, listed, page, safe, table

_KINDS = ("discovered", "transferred", "skipped", "failed", "excluded", "pending", "deleted", "verified")
_DRIFT = {
    "missing": "files were gone there and are sent again",
    "changed": "files were changed there and are sent again",
    "gone": "files are there that the source has no more",
    "foreign": "files were put there by others",
}
_EXAMPLES = 3


def report_handout(report: Mapping[str, Any], name: str, now: float, zone: tzinfo | None) -> str:
    """``report.json`` of an execution; times as date, clock and offset from UTC."""
    message = "" if report["status"] == "SUCCESS" else safe(report["message"])
    verified = [(VERIFIED.get(how, safe(how)), format_count(count)) for how, count in report["verified"].items()]
    return page(
        [
            f"# Report of {safe(name)}",
            "",
            f"**{report['status']}**{f': {message}' if message else ''}",
            "",
            *_facts(report, now, zone),
            "",
            "## What became of each file and folder",
            "",
            "Discovered is what was transferred, skipped, failed, excluded and is pending together.",
            "",
            *table(("", *_KINDS), (_ledger(report, kind) for kind in ("files", "folders"))),
            *(["## How files were verified", "", *table(("", "files"), verified)] if verified else []),
            *listed("Skipped", [f"{count}: {safe(why)}" for why, count in skipped(report)]),
            *listed("Both sides compared at the end", _compared(report)),
            *listed("What was found at the destination", _drift(report)),
            *listed("Failed", _failures(report)),
            *_work(report, "Tasks", "tasks", "name"),
            *_work(report, "Agents", "agents", "agent"),
            *_work(report, "Folders with most bytes", "top_folders", "folder"),
        ]
    )


def _facts(report: Mapping[str, Any], now: float, zone: tzinfo | None) -> list[str]:
    size, sending = report["bytes"], report["transfer_seconds"]
    rate = f", {format_rate(size['transferred'] / sending)} while transferring" if sending else ""
    ended = f"ended {moment(report['ended_at'], zone)}" if report["ended_at"] else "it has not ended"
    phases = ", ".join(f"{safe(part)} {format_duration(took)}" for part, took in report["phase_seconds"].items())
    said = foretold(report) or "nothing was foretold of it"
    pending = f", of which {format_bytes(size['pending'])} are still to be sent" if size["pending"] else ""
    found = [
        f"- Source: {safe(report['source'])}",
        f"- Destination: {safe(report['destination'])}",
        f"- Execution: {safe(report['execution'])}, on {safe(report['host'])}, xsync {safe(report['xsync_version'])}",
        f"- Began {moment(report['started_at'], zone)}, {ended}",
        f"- Took {format_duration(report['seconds'])}{f', of that {phases}' if phases else ''}",
        f"- {said[:1].upper()}{said[1:]}",
        f"- Sent {format_bytes(size['transferred'])}{rate}; the source has {format_bytes(size['source'])}{pending}",
    ]
    if not report["listing_complete"]:
        found.append("- The source was NOT listed whole: there may be more than is counted here")
    if report["retry"]:
        found.append(f"- It covers only what failed in {safe(report['retry']['of'])}")
    trail = f"- Every single entry: {safe(report['audit_trail'])} on {safe(report['host'])}"
    return [*found, trail, f"- Written {moment(now, zone)}"]


def _ledger(report: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    return (kind, *(format_count(report[kind][name]) for name in _KINDS))


def _compared(report: Mapping[str, Any]) -> list[str]:
    """What a point-in-time verification came to, where there was one."""
    if not (found := report.get("verification")):
        return []
    differs = [f"{format_count(count)} {safe(how)}" for how, count in found["differences"].items()]
    both = f"{counted(found['files'], 'file')} and {counted(found['folders'], 'folder')} were compared"
    unseen = found.get("metadata_unseen")
    said = [both, f"Differences: {', '.join(differs)}" if differs else "Nothing differs"]
    return said + ([f"Mode, owner and times of {format_count(unseen)} objects were not looked at"] if unseen else [])


def _drift(report: Mapping[str, Any]) -> list[str]:
    found = report.get("drift") or {}
    return [f"{format_count(found[name])} {words}" for name, words in _DRIFT.items() if found.get(name)]


def _failures(report: Mapping[str, Any]) -> list[str]:
    """By cause, most first: how many, what helps, and examples."""
    said = []
    for reason, count in sorted(report["failure_counts"].items(), key=lambda item: (-item[1], item[0])):
        paths = [safe(each["path"]) for each in report["failures"] if each["reason"] == reason][:_EXAMPLES]
        such = f" Such as {', '.join(paths)}." if paths else ""
        said.append(f"{format_count(count)}: {safe(reason)}. {remedy_for(reason)}{such}".replace(".  ", ". "))
    return said


def _work(report: Mapping[str, Any], head: str, key: str, named: str) -> list[str]:
    """What tasks, agents or folders have sent, most bytes first; nothing for only one task."""
    found = [(each[named], _files(each), _bytes(each)) for each in report.get(key, ())]
    found.sort(key=lambda each: -each[2])
    if len(found) < 1 + (key == "tasks"):
        return []
    whole, rest = sum(size for _, _, size in found), found[MOST_ROWS:]
    rows = [
        (safe(name or ("/" if key == "top_folders" else "several")), format_count(files), format_bytes(size), share)
        for name, files, size in found[:MOST_ROWS]
        for share in [format_share(size, report["bytes"]["transferred"]) if whole else "-"]
    ]
    more = [f"And {format_count(len(rest))} more with {format_bytes(sum(size for _, _, size in rest))}.", ""]
    return [f"## {head}", "", *table(("", "files", "bytes", "of all that was sent"), rows), *(more if rest else [])]


def _files(each: Mapping[str, Any]) -> int:
    files: int | Mapping[str, int] = each["files"]
    return files if isinstance(files, int) else files["transferred"]


def _bytes(each: Mapping[str, Any]) -> int:
    size: int | Mapping[str, int] = each["bytes"]
    return size if isinstance(size, int) else size["transferred"]
