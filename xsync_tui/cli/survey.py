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
    from engine.survey.scan import SurveyProgress

STOPPED = 5


@click.command
@click.argument("location")
@click.option("--processes", type=click.IntRange(1, 256), help="That list at the same time; one a processor.")
@options.reach
@options.as_json
def command(
    location: str,
    processes: int | None,
    endpoint_url: str | None,
    region: str | None,
    aws_profile: str | None,
    as_json: bool,
) -> int:
    """Measure LOCATION (a folder or a URL): files, bytes, sizes, top folders, hazards. Nothing is written to it.

    Ctrl-C ends it early with what was found so far.
    """
    from engine.model import LocationSpec

    url = location if "://" in location else os.path.abspath(location)
    return survey_and_show(LocationSpec(url, region, endpoint_url, aws_profile), processes, as_json=as_json)


def survey_and_show(spec: LocationSpec, processes: int | None, *, as_json: bool) -> int:
    """Survey a location and print what was found; 0, or 5 if Ctrl-C or SIGTERM ended it early. Raises XsyncError."""
    from engine.home import prepare_home
    from engine.survey.scan import survey
    from xsync_tui.cli.output import current_look, emit, say
    from xsync_tui.cli.survey_view import survey_lines

    counter = _Counter()
    with cancelled_by_signals() as cancelled:
        report = survey(
            spec,
            prepare_home().surveys,
            processes=processes,
            on_progress=counter.show,
            cancelled=lambda: bool(cancelled),
        )
    counter.erase()
    if as_json:
        emit(report)
    else:
        print("\n".join(survey_lines(report, current_look())), flush=True)
    if report.partial:
        say("Stopped before the end: these figures are of what was found so far.")
    return STOPPED if report.partial else 0


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
