"""``xsync survey``: what is at a location, measured and shown; nothing is written to it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from engine.model import LocationSpec
    from engine.survey.extending import Wishes
    from engine.survey.scan import SurveyProgress

STOPPED = 5


@click.command
@click.argument("location")
@click.option("--for", "destination", metavar="URL", help="Look for what would be a hazard at this destination.")
@click.option("--storage-class", help="Of the objects to be written there: finds those that it charges more for.")
@click.option("--compare", is_flag=True, help="Say what changed since the survey before.")
@click.option("--sample", is_flag=True, help="Read up to 64 MB in 5 s to tell how well contents compress.")
@click.option("--probe", is_flag=True, help="Read some files for about 7 s to tell how fast the source is.")
@click.option("--folder", metavar="PATH", help="Show what is in this folder by the last survey, without a new one.")
@click.option("--knee", metavar="SIZE", help="Files below it count as small; 256 KiB if not given.")
@click.option("--anew", is_flag=True, help="Do not go on with an interrupted survey.")
@click.option("--processes", type=click.IntRange(1, 256), help="That list at the same time; one a processor.")
@options.reach
@options.as_json
def command(
    location: str,
    destination: str | None,
    storage_class: str | None,
    compare: bool,
    sample: bool,
    probe: bool,
    folder: str | None,
    knee: str | None,
    anew: bool,
    processes: int | None,
    endpoint_url: str | None,
    region: str | None,
    aws_profile: str | None,
    as_json: bool,
) -> int:
    """Measure LOCATION (a folder or a URL): files, bytes, sizes, top folders, hazards. Nothing is written to it.

    Names and attributes are read, contents only with --sample and --probe. Ctrl-C ends it early with what was found so
    far; the same command goes on from there within 12 hours.
    """
    from engine.locations.registry import scheme_of
    from engine.quantities import parse_bytes
    from engine.survey.extending import NO_WISHES, Wishes

    reach = (region, endpoint_url, aws_profile)
    spec = _spec(location, *reach)
    if folder is not None:
        if destination or storage_class or compare or sample or probe or knee or anew:
            raise click.UsageError("--folder shows the last survey: it goes with --json alone.")
        return show_folder(spec, folder, as_json=as_json)
    if storage_class and (destination is None or scheme_of(destination) == "file"):
        raise click.UsageError("--storage-class belongs to a bucket: add --for s3://bucket/prefix.")
    wishes = Wishes(
        destination=_spec(destination, *reach, storage_class) if destination else None,
        knee=parse_bytes(knee) if knee else NO_WISHES.knee,
        sample=sample,
        probe=probe,
        compare=compare,
        anew=anew,
    )
    return survey_and_show(spec, processes, as_json=as_json, wishes=wishes)


def _spec(
    text: str,
    region: str | None,
    endpoint_url: str | None,
    aws_profile: str | None,
    storage_class: str | None = None,
) -> LocationSpec:
    from engine.model import LocationSpec

    return LocationSpec(options.location_url(text), region, endpoint_url, aws_profile, storage_class)


def survey_and_show(spec: LocationSpec, processes: int | None, *, as_json: bool, wishes: Wishes | None = None) -> int:
    """Survey a location and print what was found; 0, or 5 if Ctrl-C or SIGTERM ended it early. Raises XsyncError."""
    from engine.home import prepare_home
    from engine.survey.extending import NO_WISHES
    from engine.survey.scan import survey
    from xsync_tui.cli.output import current_look, emit, say
    from xsync_tui.cli.survey_view import survey_lines

    counter = _Counter()
    wishes = wishes or NO_WISHES
    with cancelled_by_signals() as cancelled:
        report = survey(
            spec,
            prepare_home().surveys,
            processes=processes,
            on_progress=counter.show,
            on_step=counter.step,
            cancelled=lambda: bool(cancelled),
            wishes=wishes,
        )
    counter.erase()
    if as_json:
        emit(report)
    else:
        print("\n".join(survey_lines(report, current_look())), flush=True)
    if wishes.compare and report.comparison is None and not cancelled:
        say("There is no complete survey of this source before this one to compare with.")
    if wishes.sample and report.compressibility is None and not cancelled:
        say("Nothing could be sampled: no file with content that may be read outside cold storage.")
    if report.partial:
        say("Stopped before the end: these figures are of what was found so far. The same command goes on from here.")
    elif cancelled:
        samples = ", samples are of what was read so far" if wishes.sample else ""
        say(f"Stopped after the scan: its figures are complete{samples}.")
    return STOPPED if report.partial or cancelled else 0


def show_folder(spec: LocationSpec, folder: str, *, as_json: bool) -> int:
    """Print what is in a folder by the last survey of a location. Raises UsageError if there is none."""
    from engine.errors import UsageError
    from engine.home import prepare_home
    from engine.locations.registry import open_location
    from engine.names import path_of_text, text_of
    from engine.survey.folders import children
    from engine.survey.report import latest_survey, reading, survey_folder
    from xsync_tui.cli.output import current_look, emit
    from xsync_tui.cli.survey_facts import clock
    from xsync_tui.cli.survey_view import folder_lines

    surveys = prepare_home().surveys
    location = open_location(spec)
    report = latest_survey(surveys, location.identity())
    location.close()
    if report is None:
        raise UsageError(f"there is no survey of {spec.url} yet: run `xsync survey {spec.url}` first")
    path = path_of_text(folder).strip(b"/")
    with reading(surveys, report) as segments:
        spill = survey_folder(surveys, report.identity) / ".spill"
        found = children(segments, spill, path, int(report.surveyed_at * 1e9))
    if not found and path:
        raise UsageError(f"{text_of(path)} is no folder, or an empty one, in the survey of {spec.url}")
    text = text_of(path)
    if as_json:
        emit(
            {
                "location": report.location,
                "folder": text,
                "surveyed_at": report.surveyed_at,
                "partial": report.partial,
                "folders": found,
            }
        )
    else:
        look = current_look()
        when = clock(report.surveyed_at, look)
        print("\n".join(folder_lines(text, found, report.surveyed_at, when, look, partial=report.partial)), flush=True)
    return 0


class _Counter:
    """A line on stderr that is redrawn, if that is a terminal."""

    def __init__(self) -> None:
        from xsync_tui.cli.block import Block

        redraws = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._block = Block(sys.stderr) if redraws else None

    def show(self, progress: SurveyProgress) -> None:
        if self._block is not None:
            from xsync_tui.cli.output import current_look
            from xsync_tui.cli.survey_view import counter_line

            look = current_look()
            line = counter_line(progress.files, progress.entries, progress.bytes, progress.seconds, look)
            self._block.draw([line], look.width)

    def step(self, text: str) -> None:
        """Say what is done now: on a terminal in place of the counter."""
        from xsync_tui.cli.output import current_look, say

        if text.startswith("continued"):
            self.erase()
            say(text.capitalize() + ".")
        elif self._block is not None:
            look = current_look()
            self._block.draw([f" {text}"], look.width)

    def erase(self) -> None:
        if self._block is not None:
            from xsync_tui.cli.output import current_look

            self._block.erase(current_look().width)


@contextmanager
def cancelled_by_signals() -> Iterator[list[int]]:
    """A list that is no longer empty once SIGINT or SIGTERM came; the next one ends the process as usual."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def come(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, come)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
