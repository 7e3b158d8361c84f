"""Runs the command line: every outcome becomes an exit code and one clear message (design.md, section 10)."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import time
import traceback
from typing import Final

import click

from engine import __version__
from engine.errors import XsyncError
from xsync_tui.cli.group import LazyGroup

UNEXPECTED: Final = 1
USAGE: Final = 2
STOPPED: Final = 5


@click.command(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xsync", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context) -> int:
    """Plan and run data migrations from a terminal. Without a command: the terminal app.

    Every command takes --json: one object, or JSON lines for what streams.
    """
    if ctx.invoked_subcommand is None:
        from xsync_tui.terminal import is_interactive

        if is_interactive():
            from xsync_tui.cli.open import open_app

            return open_app()
        from xsync_tui.cli.overview import show

        show()
    return 0


def run(args: list[str]) -> int:
    """Run ``xsync`` with ``args`` and return its exit code; prints one message for whatever went wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _invoke(args)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        return _complain(args, _usage_text(error), USAGE)
    except XsyncError as error:
        return _complain(args, str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _complain(args, "interrupted", STOPPED)
    except BrokenPipeError:
        _silence_stdout()
        return UNEXPECTED
    except Exception as error:
        return _complain(args, _full(error) or unexpected(error), UNEXPECTED)
    return code


def _invoke(args: list[str]) -> int:
    """Without click's own handling of interrupts, pipes and errors, which knows nothing of our exit codes."""
    with root.make_context("xsync", list(args)) as ctx:
        result = root.invoke(ctx)
    return result if isinstance(result, int) else 0


def _usage_text(error: click.ClickException) -> str:
    text = error.format_message()
    for what, said in (("a valid integer range", "a whole number"), ("a valid float range", "a number")):
        text = text.replace(what, said)
    text += "" if text.endswith((".", "?", "!")) else "."
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text} Try '{ctx.command_path} --help'." if ctx else text


def _complain(args: list[str], message: str, code: int) -> int:
    from xsync_tui.text import shown

    lines = [shown(line) for line in message.splitlines()]
    try:
        if "--json" in args:
            print(json.dumps({"type": "error", "message": "\n".join(lines), "exit_code": code}), flush=True)
        print("xsync: " + "\n       ".join(lines), file=sys.stderr, flush=True)
    except BrokenPipeError:
        _silence_stdout()
    return code


def _silence_stdout() -> None:
    """Point stdout at nothing, or the interpreter complains about the broken pipe once more as it exits."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _full(error: Exception) -> str:
    """What to say of a disk that takes no more; empty for any other error."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return ""
    from engine.home import find_home

    return (
        f"{error.filename or find_home().base}: {error.strerror}. Make room there, or set XSYNC_HOME to another disk."
    )


def unexpected(error: Exception) -> str:
    """What to say of an error that is a defect; its traceback is kept."""
    kind = f"{type(error).__name__}: {error}".strip().rstrip(":")
    return f"unexpected error: {kind}\nThis is a defect of xsync. {_keep_traceback(error)}"


def _keep_traceback(error: Exception) -> str:
    """Append the traceback to the log of errors and say where that is."""
    try:
        from engine.home import prepare_home

        path = prepare_home().base / "errors.log"
        with open(path, "a", encoding="utf-8", errors="backslashreplace", opener=_private) as log:
            log.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')} xsync {__version__} pid {os.getpid()}\n")
            log.write("".join(traceback.format_exception(error)))
    except Exception as trouble:
        return f"Its traceback could not be kept: {trouble}"
    return f"Its traceback is in {path}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
