"""The sign-off report of a cutover, as JSON and as text: what was done, when, by whom, how it was verified, what is not
known, and how to go back."""

from __future__ import annotations

import shlex
import socket
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

import engine
from engine.catalog.files import replacing
from engine.execution.cutover.record import STEPS, Cutover
from engine.home import Home, private_folder
from engine.locations.registry import file_path, scheme_of
from engine.model import LocationSpec
from engine.names import text_of, visible
from engine.quantities import format_bytes, format_count

POINT_OF_NO_RETURN = (
    "POINT OF NO RETURN: the first write at the destination. Before it, going back costs nothing; after it, a reverse "
    "migration."
)


def rollback_note(cutover: Cutover) -> list[str]:
    """How to go back, before and after the switch, a paragraph each."""
    return [" ".join(text.split()) for text in _ways_back(cutover)]


def _ways_back(cutover: Cutover) -> list[str]:
    migration = cutover.migration
    back = ["xsync", "run", _place(migration.destination), "NEW-FOLDER", *_reach(migration.destination)]
    return [
        f"""Before anybody writes at the destination: xsync has only read the source, so it is whole. Make it writable
        again and let users go on there; what is at the destination may stay for the next cutover
        (xsync cutover {cutover.profile} --restart).""",
        """After users wrote at the destination the source is out of date. Do not run this profile again: it would
        replace what they wrote by what the source had. Stop its schedule.""",
        f"""Back then is a reverse migration, safest into a new, empty folder beside the old source, for there it can
        replace nothing: {shlex.join(back)}; xsync verify with the same two places; then switch users to the new
        folder.""",
        """Into the old source itself only if it stayed read-only since the cutover: then what the destination has is
        never older, and the default overwrite_mode ALWAYS is right. Look first: --dry-run. overwrite_mode NEWER is not
        safer: it leaves out a file that was replaced by one with an older mtime. Owners, ACLs and whatever else the
        destination could not keep are set back to what it has.""",
        "If both sides were written to, xsync cannot merge them: list what differs (xsync verify), and decide by file.",
        """What was deleted at the destination after the switch comes back from the old source unless it is deleted
        there too. Objects that others than xsync wrote hold no owner, mode or mtime of a file: these cannot come
        back.""",
        "Keep the source, read-only, until nobody will want to go back; a snapshot of it costs little.",
    ]


def unknowns(cutover: Cutover, facts: dict[str, Any]) -> list[str]:
    """What the report does not prove; ``facts``: those of ``sign_off``."""
    source, delta, found = cutover.steps["read-only"], facts["delta"], facts["verification"]
    texts = [f"Of the source: {source.text}."]
    if found is None:
        texts.append(
            "Only what the final delta sent was verified, as it was sent. The rest was compared with a listing of the "
            "destination before the delta; no one looked at both sides after it."
        )
    else:
        size_only = found["verified"].get("size-only", 0)
        if size_only:
            texts.append(f"{format_count(size_only)} files were compared by size and times; their content not again.")
        if unseen := found.get("metadata_unseen"):
            texts.append(
                f"Mode, owner and times of {format_count(unseen)} objects are what was written with them; whether "
                "somebody changed them since was not looked at."
            )
        if found["differences"].get("foreign"):
            texts.append(
                f"{format_count(found['differences']['foreign'])} files are at the destination alone, and stay."
            )
    texts.append("What changed at either side after the verification is not known.")
    if delta["files"]["excluded"] or delta["folders"]["excluded"]:
        count = delta["files"]["excluded"] + delta["folders"]["excluded"]
        texts.append(f"{format_count(count)} entries are excluded by the filters and were not looked at.")
    special = delta["skipped"].get("special", 0)
    if special:
        texts.append(f"{format_count(special)} sockets, devices or FIFOs were not copied.")
    return texts


def sign_off(home: Home, cutover: Cutover, who: str, delta: dict[str, Any], now: float) -> Path:
    """Write ``cutover-PROFILE-DATE.json`` and ``.md`` into the cutover folder; returns the JSON's path.

    ``delta``: the report of the final delta. The steps before are done. Raises OSError.
    """
    steps = {name: msgspec.to_builtins(done) for name, done in cutover.steps.items()}
    found = cutover.steps["verification"].facts.get("verification")
    facts: dict[str, Any] = {
        "profile": cutover.profile,
        "xsync_version": engine.__version__,
        "host": socket.gethostname(),
        "signed_off_at": now,
        "signed_off_by": who,
        "began_at": cutover.began_at,
        "began_by": cutover.began_by,
        "source": cutover.migration.source.url,
        "destination": cutover.migration.destination.url,
        "steps": {name: steps[name] for name in STEPS if name in steps},
        "delta": {
            name: delta[name] for name in ("execution", "status", "files", "folders", "bytes", "skipped", "verified")
        },
        "verification": found,
    }
    facts |= {"not_known": unknowns(cutover, facts), "rollback": rollback_note(cutover)}
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    path = private_folder(home.cutovers) / f"cutover-{cutover.profile}-{stamp}.json"
    with replacing(path.with_suffix(".md")) as file:
        file.write(_text(facts).encode("utf-8", "backslashreplace"))
    with replacing(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(facts), indent=2))
    return path


def _text(facts: dict[str, Any]) -> str:
    lines = [
        f"# Cutover of {facts['profile']}",
        "",
        f"- From: `{visible(facts['source'])}`",
        f"- To: `{visible(facts['destination'])}`",
        f"- Signed off: {_moment(facts['signed_off_at'])} by {facts['signed_off_by']}, xsync {facts['xsync_version']}",
        "",
        "## Steps",
        "",
    ]
    for name, step in facts["steps"].items():
        lines.append(f"- **{STEPS[name]}** {_moment(step['at'])} by {step['who']}: {step['text']}")
    lines += [
        "",
        "## What is at the destination",
        "",
        _delta(facts["delta"]),
        f"- Verified: {_verified(facts['verification'])}",
        "",
        "## What is not known",
        "",
        *(f"- {text}" for text in facts["not_known"]),
        "",
        "## How to go back",
        "",
        *(f"- {text}" for text in facts["rollback"]),
        "",
        f"**{POINT_OF_NO_RETURN}**",
        "",
    ]
    return "\n".join(lines)


def _delta(delta: dict[str, Any]) -> str:
    files, size = delta["files"], delta["bytes"]
    return (
        f"- {format_count(files['discovered'] - files['excluded'])} files, {format_bytes(size['source'])}\n"
        f"- Final delta `{delta['execution']}`: {format_count(files['transferred'])} files sent, "
        f"{format_bytes(size['transferred'])}, {format_count(files['deleted'])} deleted, 0 failed"
    )


def _verified(found: dict[str, Any] | None) -> str:
    if found is None:
        return "only what the final delta sent"
    how = ", ".join(f"{format_count(count)} {name}" for name, count in sorted(found["verified"].items()))
    return (
        f"{format_count(found['files'])} files, {format_count(found['folders'])} folders of both sides, point in time"
        + (f" ({how})" if how else "")
    )


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S %z}"


def _place(spec: LocationSpec) -> str:
    return text_of(file_path(spec.url)) if scheme_of(spec.url) == "file" else spec.url


def _reach(spec: LocationSpec) -> list[str]:
    """The options that a command needs to reach it."""
    said = {"--endpoint-url": spec.endpoint_url, "--region": spec.region, "--aws-profile": spec.aws_profile}
    return [word for name, value in said.items() if value is not None for word in (name, value)]
