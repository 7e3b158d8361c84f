"""``xsync open``: the terminal app; also what ``xsync`` alone does on a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from xsync_tui.cli import options

if TYPE_CHECKING:
    from xsync_tui.drawing.facts import Subject

_PORT = 8443


@click.command
@click.argument("what", metavar="[PROFILE]", required=False)
@click.option("--serve", is_flag=True, help="Show it in a browser: on this host's loopback, behind a token and TLS.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of --serve: 8443 unless told; 0 for any that is free.")
@click.option("--low-bandwidth", is_flag=True, help="For slow lines: once a second, 16 colours, fewer frames.")
@options.as_json
def command(what: str | None, serve: bool, port: int | None, low_bandwidth: bool, as_json: bool) -> int:
    """Open the terminal app, about PROFILE (or an execution) if one is named.

    Closing it touches no run. With --json it only tells what it would open; with --serve, where it is served.
    """
    if serve:
        from xsync_tui.cli.served import serve_app

        serve_app(what, _PORT if port is None else port, low_bandwidth=low_bandwidth, as_json=as_json)
        return 0
    if port is not None:
        raise click.UsageError("--port is of --serve: a terminal has none.")
    return open_app(what, low_bandwidth=low_bandwidth, as_json=as_json)


def open_app(what: str | None = None, *, low_bandwidth: bool = False, as_json: bool = False) -> int:
    """Run the app until it is left; returns the exit code. Raises UsageError off a terminal."""
    from xsync_tui.cli.output import emit

    subject = subject_of(what)
    if as_json:
        emit({"type": "open", "profile": subject.profile, "execution": subject.execution})
        return 0

    def main(subject: Subject, **options: Any) -> int:
        from xsync_tui import app

        return app.main(subject, **options)

    return run_app(subject, main, low_bandwidth=low_bandwidth)


def run_app(subject: Subject, main: Callable[..., int], *, low_bandwidth: bool = False) -> int:
    """Call ``main``, which runs an app, with what the settings and the terminal are like.

    Raises UsageError off a terminal. Textual must not be imported before.
    """
    from engine.errors import UsageError
    from xsync_tui import terminal

    if not (terminal.is_interactive() or terminal.in_browser()):
        raise UsageError("The app needs a terminal. Without one: xsync status, or xsync open --serve")

    from xsync_tui.settings import load_settings

    settings = load_settings()
    slow = low_bandwidth or settings.low_bandwidth
    terminal.prepare(slow=slow)

    theme = "ansi-dark" if slow and settings.theme == "auto" else settings.theme
    return main(
        subject,
        unicode=terminal.glyphs_beyond_ascii(settings.glyphs),
        theme=theme,
        no_color=bool(os.environ.get("NO_COLOR")),
        slow=slow,
        bits=settings.rates == "bits",
        bell=settings.bell,
        keymap=settings.keys,
    )


def subject_of(what: str | None) -> Subject:
    """What a person named: a saved profile, else an execution. Raises UsageError that lists what there is."""
    from engine.home import find_execution, find_home
    from profiles import store
    from xsync_tui.drawing.facts import Subject

    if what is None:
        return Subject()
    if what in store.names():
        return Subject(profile=what)
    return Subject(execution=find_execution(find_home(), what).name)
