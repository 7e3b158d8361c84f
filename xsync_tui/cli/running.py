"""Starts or continues an execution and stays with it: detached behind a terminal, in the foreground elsewhere."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from engine.decoding import from_json
from engine.errors import StoppedError, XsyncError
from engine.journal.reader import SnapshotReader
from engine.model import Snapshot
from xsync_tui.cli.begun import begun_lines
from xsync_tui.cli.headline import Life, life_of
from xsync_tui.cli.outcome import exit_code, result_json, summary_lines
from xsync_tui.cli.output import current_look, emit, on_terminal, put, say
from xsync_tui.cli.presenters import Presenter, presenter

if TYPE_CHECKING:
    from engine.execution.launch import Launched

POLL_SECONDS = 0.5
"""Agents report twice a second."""

REPORT_NAME = "report.json"

_DRAINS = "Ctrl-C drains: what is under way is finished, then it stops."


def run_and_stay(launch: Callable[[bool], Launched], *, detach: bool, as_json: bool) -> int:
    """Call ``launch`` with whether to detach, then show the execution to its end; returns the exit code.

    On a terminal the runner is detached and Ctrl-C leaves it running; elsewhere SIGTERM and SIGINT drain it.
    """
    if detach:
        return _print_id(launch(True), as_json=as_json)
    if on_terminal() and not as_json:
        return _behind_a_terminal(launch)
    return in_foreground(launch, as_json=as_json)


def in_foreground(
    launch: Callable[[bool], Launched], *, as_json: bool, lines: bool = False, shown: Presenter | None = None
) -> int:
    """Run as the runner's parent until it ends; the first SIGTERM, SIGINT or SIGHUP lets it drain.

    ``lines``: no block that is redrawn, whatever stdout is; ``shown``: a presenter of the caller's. Raises
    StoppedError if nobody reads stdout any more: the runner is drained then too.
    """
    with _drain_signals() as drain:
        launched = launch(False)
        drain.process = launched.process
        try:
            _tell_begun(launched, as_json=as_json)
            shown = shown or presenter(as_json=as_json, lines=lines, foot=_DRAINS)
            _follow(launched, shown)
            shown.close()
            code = tell_result(launched.folder, as_json=as_json, gone=True)
            return code if code != StoppedError.exit_code else _how_it_stopped(launched)
        except BrokenPipeError:
            raise StoppedError(f"stdout was closed: drained. Go on: xsync resume {launched.execution}") from None
        finally:
            drain.now()  # whatever broke here, no runner is left behind without its parent
            launched.process.wait()
            if launched.process.stdin is not None:
                launched.process.stdin.close()


def watch(folder: Path, *, as_json: bool) -> int:
    """Show any execution until it ends, its runner is gone, or Ctrl-C; returns the exit code."""
    shown = presenter(as_json=as_json, foot=f"Ctrl-C leaves it running. Come back: xsync attach {folder.name}")
    try:
        with SnapshotReader(folder) as reader:
            while True:
                snapshot, now = reader.read(), time.time()
                shown.show(snapshot, now)
                life = life_of(snapshot, now)
                if life in (Life.ENDED, Life.GONE):
                    break
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        say(f"\nIt goes on without you. Come back: xsync attach {folder.name}   Stop it: xsync cancel {folder.name}")
        return 0
    if life is Life.ENDED:
        shown.close()
    return tell_result(folder, as_json=as_json, gone=life is Life.GONE)


def tell_result(folder: Path, *, as_json: bool, gone: bool) -> int:
    """Print what an execution came to and return its exit code; ``gone``: no runner works on it any more."""
    with SnapshotReader(folder) as reader:
        snapshot, failures = reader.read(), reader.failures()
    path = folder / REPORT_NAME
    report = read_report(path)
    if as_json:
        emit(result_json(snapshot, report, path if report else None, gone=gone))
    else:
        lines = summary_lines(snapshot, failures, report, current_look(), gone=gone)
        where = [f" Report: {path}"] if report else []
        print("\n".join([*lines, *where]), flush=True)
    return exit_code(snapshot, gone=gone)


def _print_id(launched: Launched, *, as_json: bool) -> int:
    if as_json:
        emit(_started_json(launched))
    else:
        _tell_begun(launched, as_json=as_json)
        say(f"It runs. Watch: xsync attach {launched.execution}")
        put(launched.execution)
    return 0


def _behind_a_terminal(launch: Callable[[bool], Launched]) -> int:
    try:
        launched = launch(True)
    except KeyboardInterrupt:
        say("\nLeft while it was starting. See whether it runs: xsync status")
        return 0
    _tell_begun(launched, as_json=False)
    return watch(launched.folder, as_json=False)


def _tell_begun(launched: Launched, *, as_json: bool) -> None:
    """Say what it goes on with, and what it does not."""
    if not (launched.continued or launched.left):
        return
    if as_json:
        emit(_started_json(launched))
        return
    for line in begun_lines(launched):
        say(line)


def _started_json(launched: Launched) -> dict[str, Any]:
    return {
        "type": "started",
        "execution": launched.execution,
        "continued": launched.continued,
        "listed_before": launched.listed,
        "changed": [key for key, _ in launched.changed],
        "not_continued": launched.left,
    }


def _follow(launched: Launched, shown: Presenter) -> None:
    """Show snapshots until the runner's process has ended."""
    with SnapshotReader(launched.folder) as reader:
        while True:
            ended = launched.process.poll() is not None
            snapshot: Snapshot = reader.read()
            shown.show(snapshot, time.time())
            if ended:
                return
            _await_end(launched.process)


def _await_end(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end, at most POLL_SECONDS. Popen's own wait notices up to 50 ms late."""
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:  # it has ended, or the kernel is older than 5.3
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
        return
    try:
        select.select([fd], [], [], POLL_SECONDS)
    finally:
        os.close(fd)


def _how_it_stopped(launched: Launched) -> int:
    """The exit code of a run that left work: 5 if it was asked to stop or killed, 1 if its runner gave up."""
    return XsyncError.exit_code if launched.process.wait() == XsyncError.exit_code else StoppedError.exit_code


def read_report(path: Path) -> dict[str, Any]:
    """What the runner wrote at its end; empty if it did not. Raises XsyncError for a file that is not JSON."""
    try:
        return from_json(path.read_bytes(), dict[str, Any])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise XsyncError(f"{path} cannot be read: {error}") from error


class _Drain:
    """Tells the runner once to drain, as soon as there is one."""

    def __init__(self) -> None:
        self._asked = self._sent = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The runner, once it is started."""
        return self._process

    @process.setter
    def process(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self._asked:
            self.now()

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal that asks for the end."""
        if not self._asked:
            # Not print: a handler may interrupt a print, which cannot be entered twice.
            os.write(2, f"xsync: {signal.Signals(number).name}: draining, then stopping\n".encode())
        self.now()

    def now(self) -> None:
        """Ask for the end; the runner hears it once."""
        self._asked = True
        if self._process is not None and not self._sent and self._process.poll() is None:
            self._sent = True
            self._process.terminate()


@contextmanager
def _drain_signals() -> Iterator[_Drain]:
    drain = _Drain()
    # A signal that is ignored stays so: nohup and cron mean it.
    numbers = [n for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, drain.on_signal) for number in numbers}
    try:
        yield drain
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
