"""``xsync run --dry-run``: what a run would transfer, overwrite, delete and skip, with its requests and their cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.execution.comparing.dryrun import DryRun, Sums
    from engine.model import Migration


def show_plan(migration: Migration, output: str | None, *, as_json: bool) -> int:
    """Print what a run would do, and list it entry by entry in ``output``; 0. Raises XsyncError, click.UsageError."""
    import msgspec

    from engine.execution.comparing.dryrun import dry_run, planned_rows
    from xsync_tui.cli.listed import Counter, listed_in, write_lines
    from xsync_tui.cli.output import emit
    from xsync_tui.cli.survey import cancelled_by_signals

    with listed_in(output) as listed, cancelled_by_signals() as cancelled:
        counter = Counter()
        plan = dry_run(migration, listed, cancelled=lambda: bool(cancelled), on_progress=counter.show)
        counter.erase()
        write_lines(output, lambda: planned_rows(listed))
    if as_json:
        values: dict[str, Any] = msgspec.to_builtins(plan)
        emit({"type": "dry-run", **values, "output": output})
    else:
        print("\n".join(_lines(plan)))
    return 0


def _lines(plan: DryRun) -> Iterator[str]:
    from engine.quantities import format_count

    yield f"{plan.source} to {plan.destination}: nothing was changed"
    for name, sums in plan.reasons.items():
        yield f"  {_amount(sums):<44} {name}"
    if plan.requests:
        asked = ", ".join(f"{format_count(count)} {name}" for name, count in plan.requests.items())
        yield f"requests: {asked}; {plan.dollars:,.2f} USD"
    yield from (f"note: {note}" for note in plan.notes)


def _amount(sums: Sums) -> str:
    from engine.quantities import format_bytes, format_count

    many = "" if sums.files == 1 else "s"
    files = f"{format_count(sums.files)} file{many}, {format_bytes(sums.bytes)}" if sums.files else ""
    folders = f"{format_count(sums.folders)} folder{'s' * (sums.folders != 1)}" if sums.folders else ""
    return "; ".join(filter(None, (files, folders)))
