"""``xsync cleanup``: discards what broken runs left behind at a destination, and shows what is not xsync's."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from engine.execution.cleanup import Leftover
    from engine.model import LocationSpec

SOME_FAILED = 3

SHOWN = 20
"""Lines of each kind that a person is shown; --json has all."""


@click.command
@click.argument("where", metavar="PROFILE | DESTINATION")
@options.reach
@click.option("--yes", is_flag=True, help="Discard what is xsync's without asking.")
@options.as_json
def command(
    where: str, endpoint_url: str | None, region: str | None, aws_profile: str | None, yes: bool, as_json: bool
) -> int:
    """List open uploads and temporary files at a destination, and discard those of xsync.

    Discarded is only what a journal of this account has, or meant to begin; uploads of others are listed and left
    alone. Nothing is done without --yes or your answer, nor while a run of this account writes there. What is at the
    destination under its final name is never touched.
    """
    from engine.execution.cleanup import cleaning, discard_all
    from xsync_tui.cli.output import emit

    spec = _destination(where, endpoint_url, region, aws_profile)
    with cleaning(spec) as cleaner:
        found = list(cleaner.leftovers())
        if not as_json:
            _show(spec, found)
        ours = [leftover for leftover in found if leftover.ours]
        agreed = bool(ours) and (yes or (not as_json and _agreed(len(ours))))
        failed = discard_all(cleaner, ours) if agreed else []
    if as_json:
        emit(_json(spec, found, failed, discarded=agreed))
    else:
        _tell(ours, failed, agreed)
    return SOME_FAILED if failed else 0


def _destination(where: str, endpoint_url: str | None, region: str | None, aws_profile: str | None) -> LocationSpec:
    """The destination of a profile, or the one named."""
    from engine.model import LocationSpec
    from profiles import store
    from profiles.convert import to_migration
    from xsync_tui.cli.profile_names import load_profile

    is_profile = where.endswith(".toml") or where in store.names()
    if is_profile or not ("/" in where or "://" in where):
        return to_migration(load_profile(where)).destination
    return LocationSpec(options.location_url(where), region, endpoint_url, aws_profile)


def _agreed(count: int) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return click.confirm(f" Discard {count}?", default=False)


def _show(spec: LocationSpec, found: list[Leftover]) -> None:
    from xsync_tui.cli.output import put

    ours = [leftover for leftover in found if leftover.ours]
    others = [leftover for leftover in found if not leftover.ours]
    if not found:
        put(f" Nothing is open at {spec.url}.")
    for title, some in ((f"of xsync at {spec.url}", ours), ("not known to be xsync's here: left alone", others)):
        if some:
            put(f" {len(some)} {title}")
            put("\n".join(map(_line, some[:SHOWN])))
            if len(some) > SHOWN:
                put(f"   and {len(some) - SHOWN} more; all are in --json")


def _line(leftover: Leftover) -> str:
    from engine.names import text_of
    from engine.quantities import format_duration

    age = format_duration(max(0.0, time.time() - leftover.initiated_at))
    of = f"  {leftover.execution}" if leftover.execution else ""
    warning = "  (xsync resume could go on with it)" if leftover.resumable else ""
    return f"   {age:>9} old  {text_of(leftover.path)}{of}{warning}"


def _tell(ours: list[Leftover], failed: list[tuple[Leftover, str]], agreed: bool) -> None:
    from engine.names import text_of
    from xsync_tui.cli.output import put

    if agreed:
        put(f" Discarded {len(ours) - len(failed)}.")
    elif ours:
        put(" Nothing was discarded. To do it: --yes")
    for leftover, reason in failed:
        put(f" not discarded: {text_of(leftover.path)}: {reason}")


def _json(
    spec: LocationSpec, found: list[Leftover], failed: list[tuple[Leftover, str]], *, discarded: bool
) -> dict[str, Any]:
    from engine.names import text_of

    problems = {id(leftover): reason for leftover, reason in failed}
    rows = [
        {
            "path": text_of(leftover.path),
            "upload_id": leftover.upload_id,
            "initiated_at": leftover.initiated_at,
            "ours": leftover.ours or None,
            "execution": leftover.execution,
            "resumable": leftover.resumable,
            "discarded": discarded and bool(leftover.ours) and id(leftover) not in problems,
            "problem": problems.get(id(leftover)),
        }
        for leftover in found
    ]
    return {"destination": spec.url, "leftovers": rows, "discarded": sum(row["discarded"] is True for row in rows)}
