"""``xsync demo``: makes a dataset, copies it with four agents, in the app or in lines, checks the copy, cleans up."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from xsync_tui.cli import options
from xsync_tui.settings import settings_path

if TYPE_CHECKING:
    from engine.model import LocationSpec
    from xsync_tui.demo.server import S3Server
    from xsync_tui.demo.verify import Verification

AGENTS = 4
BUCKET = "xsync-demo"
DIFFERENT = 3

_BYTES_AT_SCALE_1 = 1_100_000_000
_SHOWN_DIFFERENCES = 10


_NEXT = """Next, with data of your own:
  xsync                   the app: where is the data?
  xsync survey /your/data only looks: counts, sizes, what will be trouble
  xsync demo --headless   this demo, all by itself
docs/guide.md goes from the survey to the report."""


class Stage(NamedTuple):
    """Where the demo copies to. ``server`` is None for a folder."""

    destination: LocationSpec
    server: S3Server | None


@click.command
@click.option("--headless", is_flag=True, help="Lines instead of a view that is redrawn; for CI.")
@click.option(
    "--scale", type=click.FloatRange(0.001, 100), default=1.0, show_default=True, help="1: 12,000 files, 1 GB."
)
@click.option("--keep", is_flag=True, help="Leave dataset, destination and journal where they are.")
@click.option(
    "--folder", type=click.Path(file_okay=False), help="Work in a new folder in there, not in the temporary one."
)
@click.option("--to-folder", is_flag=True, help="Copy to a folder: needs no S3 server.")
@options.as_json
def command(headless: bool, scale: float, keep: bool, folder: str | None, to_folder: bool, as_json: bool) -> int:
    """See it all work: a dataset like a lab's images, an S3 server on this machine, four agents, an independent check.

    On a terminal it opens the app, with a line that says what to press next; else, and with --headless, it does all by
    itself. Needs about 2 GB of disk at scale 1, nothing else; cleans up after itself, also after Ctrl-C.
    """
    from xsync_tui import terminal
    from xsync_tui.cli.output import say

    leads = not headless and not as_json and terminal.is_interactive()
    base = _own_folder(folder, scale)
    home = str(base / "home") if leads else os.environ.get("XSYNC_HOME") or str(base / "home")
    settings = settings_path()
    try:
        with _ended_by_signals(), _environment({"XSYNC_HOME": home}):
            if leads:
                return _lead(base, scale, settings, to_folder=to_folder)
            return _play(base, scale, headless=headless, to_folder=to_folder, as_json=as_json)
    finally:
        if keep:
            say(f"Everything is in {base}: dataset, destination, journal. Remove it when you are done.")
        else:
            with _undisturbed():
                shutil.rmtree(base)
            say("Cleaned up: dataset, destination and server are gone.")
        if leads:
            say(_NEXT)


def _own_folder(parent: str | None, scale: float) -> Path:
    """A new folder of the demo's own. Raises XsyncError where there is no room for it."""
    from engine.errors import XsyncError
    from engine.quantities import format_bytes

    try:
        if parent is not None:
            Path(parent).mkdir(parents=True, exist_ok=True)
        base = Path(tempfile.mkdtemp(prefix="xsync-demo-", dir=parent)).resolve()
    except OSError as error:
        raise XsyncError(f"Cannot make a folder in {parent or tempfile.gettempdir()}: {error.strerror}") from error
    needed, free = 2 * scale * _BYTES_AT_SCALE_1, shutil.disk_usage(base).free
    if free < needed:
        base.rmdir()
        raise XsyncError(
            f"{base.parent} has {format_bytes(free)} free, scale {scale:g} needs {format_bytes(needed)}: "
            "name another place with --folder, or a smaller --scale"
        )
    return base


def _play(base: Path, scale: float, *, headless: bool, to_folder: bool, as_json: bool) -> int:
    from engine.execution.launch import RunRequest, start
    from engine.model import LocationSpec, Migration
    from engine.quantities import format_bytes, format_count
    from xsync_tui.cli.output import say
    from xsync_tui.cli.running import in_foreground
    from xsync_tui.cli.survey import survey_and_show
    from xsync_tui.demo.dataset import make_dataset

    with _stage(base, to_folder=to_folder) as stage:
        say("1  Making the dataset: four years of a lab's images, by month")
        made = make_dataset(base / "dataset", scale)
        say(f"   {format_count(made.files)} files, {format_bytes(made.bytes)} in {made.folder}")
        say("2  Survey: what is there")
        source = LocationSpec(str(made.folder))
        code = survey_and_show(source, None, as_json=as_json)
        if code:
            return code
        say(
            f"3  Run: {AGENTS} agents to {stage.destination.url}"
            + (f" at {stage.destination.endpoint_url}" if stage.server else "")
        )
        request = RunRequest(Migration(source, stage.destination, name="demo", agents=AGENTS), "demo")
        code = in_foreground(lambda detached: start(request, detached=detached), as_json=as_json, lines=headless)
        if code:
            return code
        say("4  Check by other code: every name, size, checksum, mode, owner and time")
        return _tell(_verify(made.folder, stage), as_json=as_json)


def _lead(base: Path, scale: float, settings: Path, *, to_folder: bool) -> int:
    """The same as ``_play``, by hand in the app; the check at the end if all was copied."""
    from engine.quantities import format_bytes, format_count
    from xsync_tui.cli.output import say
    from xsync_tui.demo import opening
    from xsync_tui.demo.dataset import make_dataset

    with _stage(base, to_folder=to_folder) as stage:
        say("Making the dataset: four years of a lab's images, by month")
        made = make_dataset(base / "dataset", scale)
        say(f"{format_count(made.files)} files, {format_bytes(made.bytes)} in {made.folder}. Opening the app.")
        opening.keep_settings(settings, base / "home")
        opening.save_profile(made.folder, stage.destination, AGENTS)
        code = opening.lead()
        with _ended_by_signals():  # the app's own handlers ended with it
            if code or not opening.completed():
                say("No run was completed: there is nothing to compare.")
                return code
            say("Check by other code: every name, size, checksum, mode, owner and time")
            return _tell(_verify(made.folder, stage), as_json=False)


@contextlib.contextmanager
def _stage(base: Path, *, to_folder: bool) -> Iterator[Stage]:
    """A destination that exists until the block ends."""
    from engine.errors import XsyncError
    from engine.model import LocationSpec

    if to_folder:
        (base / "destination").mkdir()
        yield Stage(LocationSpec(str(base / "destination")), None)
        return
    from xsync_tui.demo.server import s3_client, s3_server

    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(s3_server(base / "server"))
        except XsyncError as error:
            raise XsyncError(f"{error}\nWithout a server: xsync demo --to-folder") from error
        with contextlib.closing(s3_client(server)) as client:
            client.create_bucket(Bucket=BUCKET)
        stack.enter_context(_environment(_access(server)))
        destination = LocationSpec(
            f"s3://{BUCKET}", region=server.region, endpoint_url=server.endpoint_url, addressing="path"
        )
        yield Stage(destination, server)


def _access(server: S3Server) -> dict[str, str | None]:
    """What lets this process and its agents reach the server, and only it."""
    around = [os.environ[name] for name in ("NO_PROXY", "no_proxy") if os.environ.get(name)]
    no_proxy = ",".join([*around, "127.0.0.1"])
    return {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        **dict.fromkeys(("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")),
        "AWS_REGION": server.region,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def _verify(source: Path, stage: Stage) -> Verification:
    if stage.server is None:
        from xsync_tui.cli.folders_compared import compare_folders

        return compare_folders(source, Path(stage.destination.url))
    from xsync_tui.demo.verify import verify

    return verify(source, stage.server, BUCKET)


def _tell(checked: Verification, *, as_json: bool) -> int:
    from engine.quantities import format_bytes, format_count, format_duration
    from xsync_tui.cli.output import emit, put

    if as_json:
        emit({"type": "verification", "identical": checked.identical, **checked._asdict()})
    else:
        compared = f"{format_count(checked.files)} files, {format_count(checked.symlinks)} links"
        size = f"{format_bytes(checked.bytes)} in {format_duration(checked.seconds)}"
        verdict = "IDENTICAL" if checked.identical else f"{format_count(len(checked.differences))} DIFFERENT"
        put(f" {compared}, {format_count(checked.folders)} folders, {size}: {verdict}")
        for difference in checked.differences[:_SHOWN_DIFFERENCES]:
            put(f"   {difference.name}: {difference.what}")
    return 0 if checked.identical else DIFFERENT


@contextlib.contextmanager
def _environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables, or unset those that are None, until the block ends."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Until the block ends no signal that asks to end counts: who closes the terminal after q leaves nothing behind."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP act like Ctrl-C, so that the server is ended and everything removed."""
    # A signal that is ignored stays so: nohup means it.
    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, signal.default_int_handler) for each in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
