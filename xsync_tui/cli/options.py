"""Options and arguments that several commands take, and the profile that they describe."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from profiles.schema import Profile

_Command = TypeVar("_Command", bound=Callable[..., Any])

as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object, or JSON lines for what streams, on stdout."
)

execution = click.argument("execution", metavar="[EXECUTION]", required=False)

detach = click.option("--detach", is_flag=True, help="Start, print the execution's id, and return at once.")

agents = click.option(
    "--agents", type=click.IntRange(1, 1000), help="Agents that work in parallel; a run has 2 if not said."
)


metrics_file = click.option(
    "--metrics-file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Keep figures for Prometheus' textfile collector in it.",
)


class Rate(click.ParamType[int]):
    """A bandwidth limit such as ``500 Mbit/s``: bytes a second, or -1 for ``none`` as DataSync has it."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse it; UsageError says what was expected."""
        from engine.errors import UsageError
        from engine.quantities import parse_rate

        if isinstance(value, int):
            return value
        try:
            return -1 if value.lower() == "none" else parse_rate(value)
        except UsageError as error:
            if param is None:
                raise
            self.fail(str(error), param, ctx)


class MigrationOptions(TypedDict):
    """What ``migration`` adds to a command."""

    agents: int | None
    endpoint_url: str | None
    region: str | None
    aws_profile: str | None
    storage_class: str | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    manifest: str | None
    limit: int | None
    min_age: str | None
    max_age: str | None
    min_size: str | None
    max_size: str | None
    verify_mode: str | None
    overwrite_mode: str | None
    delta: str | None
    checksum: bool
    delete: bool
    max_deletions: int | None
    delete_foreign: bool


_REACH = (
    click.option("--endpoint-url", help="Address of an S3 server that is not AWS, such as https://s3.example.com."),
    click.option("--region", help="Region of the bucket; as the AWS tools find it if not said."),
    click.option("--aws-profile", help="Profile of the AWS configuration, for credentials."),
)

_MIGRATION = (
    agents,
    *_REACH,
    click.option("--storage-class", help="Storage class of the objects written; the bucket's default if not said."),
    click.option("--include", multiple=True, metavar="PATTERN", help="Copy only this, as DataSync: '/2024', '/a|/b'."),
    click.option(
        "--exclude", multiple=True, metavar="PATTERN", help="Leave this out, as DataSync: '*.tmp', '/scratch'."
    ),
    click.option("--manifest", type=click.Path(), metavar="FILE", help="Copy only the paths listed in this CSV file."),
    click.option(
        "--limit",
        type=Rate(),
        metavar="RATE|none",
        help="Bandwidth of all agents together, such as 500Mbit/s; none if not said.",
    ),
    click.option("--min-age", metavar="TIME", help="Leave out files modified in the last TIME, such as 15m."),
    click.option("--max-age", metavar="TIME", help="Leave out files last modified longer ago, such as 30d."),
    click.option("--min-size", metavar="SIZE", help="Leave out smaller files, such as 1KiB."),
    click.option("--max-size", metavar="SIZE", help="Leave out larger files, such as 10GiB."),
    click.option(
        "--verify-mode",
        metavar="MODE",
        help="ONLY_FILES_TRANSFERRED (default), POINT_IN_TIME_CONSISTENT (both sides listed again at the end) or NONE.",
    ),
    click.option(
        "--overwrite-mode",
        metavar="ALWAYS|NEVER|NEWER",
        help="Which files at the destination may be replaced: all that differ (default), none, or older ones.",
    ),
    click.option(
        "--delta",
        type=click.Choice(["state", "destination"]),
        metavar="state|destination",
        help="What is at the destination: as earlier runs know it (state, default), or listed anew.",
    ),
    click.option("--checksum", is_flag=True, help="Compare content where size and times agree, too."),
    click.option("--delete", is_flag=True, help="Delete at the destination what is not at the source (REMOVE)."),
    click.option(
        "--max-deletions",
        type=click.IntRange(0),
        help="Delete up to so many; 10 % of the destination if not said.",
    ),
    click.option("--delete-foreign", is_flag=True, help="Delete also what xsync did not put there."),
)


ALSO_WITH_PROFILE = ("agents", "limit", "delta", "delete", "max_deletions", "delete_foreign")
"""What may be said on the command line for one run of a profile."""

FOR_A_PAIR = (
    "\b\n"
    "With a PROFILE, of the options from --endpoint-url to --delete-foreign only\n"
    "--limit, --delta, --delete, --max-deletions and --delete-foreign are taken:\n"
    "the others are for SOURCE DESTINATION; a profile says them itself."
)
"""The end of the help of commands that take a profile too."""


def reach(command: _Command) -> _Command:
    """Add the options that say how to reach a bucket."""
    return _with(command, _REACH)


def migration(command: _Command) -> _Command:
    """Add the options of a migration that has no profile yet."""
    return _with(command, _MIGRATION)


def _with(command: _Command, added: Sequence[Callable[[_Command], _Command]]) -> _Command:
    for option in reversed(added):
        command = option(command)
    return command


def to_profile(name: str, source: str, destination: str, chosen: MigrationOptions, origin: str) -> Profile:
    """The validated profile of a command line. Bare paths become absolute, for it may be resumed from another folder.

    Raises ProfileError, each problem after ``origin``.
    """
    from profiles.validate import validate

    reach = {key: chosen[key] for key in ("endpoint_url", "region", "aws_profile")}
    table = {
        "schema": 1,
        "name": name,
        "source": _place(source, reach),
        "destination": _place(destination, reach) | _said({"storage_class": chosen["storage_class"]}),
        "filters": _said(
            {
                "include": list(chosen["include"]) or None,
                "exclude": list(chosen["exclude"]) or None,
                "manifest": chosen["manifest"] and os.path.abspath(chosen["manifest"]),
                **{key: chosen[key] for key in ("min_age", "max_age", "min_size", "max_size")},
            }
        ),
        "options": _said(
            {
                **{key: chosen[key] for key in ("verify_mode", "overwrite_mode", "delta")},
                "checksum": chosen["checksum"] or None,
                **deletions(chosen),
                "bytes_per_second": chosen["limit"],
            }
        ),
        **_said({"agents": chosen["agents"]}),
    }
    return validate(table, origin)


def deletions(chosen: MigrationOptions) -> dict[str, Any]:
    """What the command line says about deletions, by option."""
    return _said(
        {
            "preserve_deleted_files": "REMOVE" if chosen["delete"] else None,
            "max_deletions": chosen["max_deletions"],
            "delete_foreign": chosen["delete_foreign"] or None,
        }
    )


def writable(file: str | Path) -> Path:
    """The absolute path of a file that is to be written once all work is done. Raises click.UsageError."""
    path = Path(file).absolute()
    if not path.parent.is_dir():
        raise click.UsageError(f"{path} cannot be written: there is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise click.UsageError(f"{path} cannot be written: this account may not write into {path.parent}.")
    return path


def _place(text: str, reach: dict[str, str | None]) -> dict[str, Any]:
    """The section of a location; how to reach an endpoint means nothing to a file system."""
    if not text:
        raise click.UsageError("A location is empty: give a folder or a URL such as s3://bucket/prefix.")
    from engine.locations.registry import scheme_of

    url = location_url(text)
    return {"url": url, **({} if scheme_of(url) == "file" else _said(reach))}


def location_url(text: str) -> str:
    """What was typed as a location, a bare path made absolute. Raises UsageError for what is neither URL nor path."""
    from engine.locations.registry import scheme_of

    scheme_of(text)
    return text if "://" in text else os.path.abspath(text)


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
