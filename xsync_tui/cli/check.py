"""``xsync check``: whether a migration would work, found out before anything moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import click

from xsync_tui.cli import options
from xsync_tui.cli.options import MigrationOptions

if TYPE_CHECKING:
    from engine.execution.checking.findings import Finding
    from xsync_tui.cli.look import Look

REFUSED = 4

_WORDS = {"ok": "ok", "warning": "WARN", "failure": "FAIL"}


@click.command(epilog=options.FOR_A_PAIR)
@click.argument("what", metavar="PROFILE | SOURCE DESTINATION", nargs=-1, required=True)
@options.migration
@click.option("--iam-policy", is_flag=True, help="Print the least IAM policy that it needs, and check nothing.")
@options.as_json
def command(what: tuple[str, ...], iam_policy: bool, as_json: bool, **chosen: Unpack[MigrationOptions]) -> int:
    """Check both sides of a profile, the way between them, credentials, clocks and this host.

    Files of the source are read; a small file or object of ours is written to the destination, read, and deleted again.
    Exit code 4 if a run would fail.
    """
    from engine.execution.checking.check import check
    from engine.home import prepare_home
    from xsync_tui.cli.output import current_look, emit, put
    from xsync_tui.cli.run import migration_of

    migration = migration_of(what, chosen)[0]
    if iam_policy:
        return _print_policy(what, chosen)
    found: list[Finding] = []
    look = current_look()
    for finding in check(migration, prepare_home()):
        found.append(finding)
        if not as_json:
            put("\n".join(lines(finding, look)))
    failures = sum(finding.level == "failure" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    if as_json:
        emit({"ok": not failures, "failures": failures, "warnings": warnings, "findings": found})
    else:
        put(_verdict(failures, warnings))
    return REFUSED if failures else 0


def lines(finding: Finding, look: Look) -> list[str]:
    """A finding as lines: the word, what it is about, what was found, and what to do."""
    import textwrap

    room = max(20, look.width - 20)
    parts = (textwrap.wrap(text, room, break_on_hyphens=False) for text in (finding.text, finding.advice))
    said = [line for part in parts for line in part]
    head = f" {_WORDS[finding.level]:<5} {finding.about:<12}"
    return [f"{head if number == 0 else ' ' * len(head)} {text}" for number, text in enumerate(said)]


def _verdict(failures: int, warnings: int) -> str:
    if failures:
        return f"A run would fail: {failures} to mend{f', {warnings} to know' if warnings else ''}."
    return f"It would run{f'; {warnings} to know before' if warnings else ''}."


def _print_policy(what: tuple[str, ...], chosen: MigrationOptions) -> int:
    import msgspec

    from engine.errors import UsageError
    from engine.execution.checking.policy import iam_policy
    from xsync_tui.cli.run import migration_of

    policy = iam_policy(migration_of(what, chosen)[0])
    if not policy["Statement"]:
        raise UsageError("Neither side is a bucket: there is no IAM policy to need")
    click.echo(msgspec.json.format(msgspec.json.encode(policy), indent=2))
    return 0
