"""``xsync verify``: whether the destination holds what the source has; nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import click

from xsync_tui.cli import options
from xsync_tui.cli.options import MigrationOptions

if TYPE_CHECKING:
    from pathlib import Path

    from engine.execution.comparing.verification import Verification

DIFFERS = 3

SHOWN = 20
"""Differences that a person is shown; the file has all."""


@click.command(epilog=options.FOR_A_PAIR)
@click.argument("what", metavar="PROFILE | SOURCE DESTINATION", nargs=-1, required=True)
@options.migration
@click.option("--read-source", is_flag=True, help="Read all content and compare checksums.")
@click.option("--output", type=click.Path(dir_okay=False), metavar="FILE", help="All differences: .parquet or .jsonl.")
@options.as_json
def command(
    what: tuple[str, ...], read_source: bool, output: str | None, as_json: bool, **chosen: Unpack[MigrationOptions]
) -> int:
    """Compare SOURCE and DESTINATION, or those of a profile, now: missing, foreign, size, content, metadata.

    Both sides are listed. What xsync has put there is compared by size and recorded ETag; of the rest each object is
    asked for. Exit code 3 if anything differs: the next run copies that again. Ctrl-C stops it.
    """
    from engine.execution.comparing.verification import differences, verify
    from xsync_tui.cli.listed import Counter, listed_in, write_lines
    from xsync_tui.cli.output import emit
    from xsync_tui.cli.run import migration_of
    from xsync_tui.cli.survey import cancelled_by_signals

    migration, _ = migration_of(what, chosen)
    with listed_in(output) as listed, cancelled_by_signals() as cancelled:
        counter = Counter()
        found = verify(
            migration,
            listed,
            read_source=read_source,
            cancelled=lambda: bool(cancelled),
            on_progress=counter.show,
        )
        counter.erase()
        write_lines(output, lambda: differences(listed))
        if as_json:
            emit(_json(found, output))
        else:
            _show(found, listed, output)
    return 0 if found.same else DIFFERS


def _json(found: Verification, output: str | None) -> dict[str, Any]:
    import msgspec

    values: dict[str, Any] = msgspec.to_builtins(found)
    return {"type": "verification", **values, "same": found.same, "output": output}


def _deeper(found: Verification) -> str:
    """What would compare them: of objects that stand for files a HEAD tells."""
    return "" if found.source.startswith("s3://") else ": --read-source does"


def _show(found: Verification, listed: Path, output: str | None) -> None:
    from itertools import islice

    from engine.execution.comparing.verification import differences
    from engine.quantities import counted, format_count

    how = ", ".join(f"{format_count(count)} {name}" for name, count in sorted(found.verified.items())) or "none"
    print(f"{counted(found.files, 'file')}, {counted(found.folders, 'folder')} compared in {found.seconds:.1f} s")
    print(f"the same: {how}")
    if found.requests:
        print("requests: " + ", ".join(f"{format_count(count)} {name}" for name, count in found.requests.items()))
    if found.metadata_unseen:
        print(
            f"mode, owner and times of {format_count(found.metadata_unseen)} objects were not compared{_deeper(found)}"
        )
    if found.same:
        print("nothing differs")
        return
    print("differences: " + ", ".join(f"{format_count(n)} {name}" for name, n in sorted(found.differences.items())))
    for row in islice(differences(listed), SHOWN):
        print(f"  {row['difference']:<15} {row['path']}" + (f"  ({row['detail']})" if row["detail"] else ""))
    left = sum(found.differences.values()) - SHOWN
    if left > 0:
        print(f"  and {format_count(left)} more" + ("" if output else "; all with --output FILE.jsonl"))
    if found.doubted:
        print(f"the next run copies {format_count(found.doubted)} of these again")
    elif found.doubted is None:
        print("a run is under way: what differs could not be noted for the next one. Verify again when it has ended")
