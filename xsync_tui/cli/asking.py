"""Asks the runner of an execution for something through its journal, and waits a little for the answer."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import UsageError, XsyncError
from engine.journal.reader import read_snapshot
from engine.model import Snapshot
from xsync_tui.cli.clock import clock
from xsync_tui.cli.headline import Life, life_of
from xsync_tui.cli.output import emit, put, say

ANSWER_SECONDS = 10.0
"""A runner looks for commands about twice a second."""

_LOOK_SECONDS = 0.1

_REFUSED = "not done"
"""How a runner's answer begins that could not do what it was asked."""


class Answer(msgspec.Struct, frozen=True, tag_field="type", tag="answer"):
    """What was asked of a runner, by whom, and what it said; ``outcome`` is None while it has not answered."""

    execution: str
    verb: str
    who: str
    asked_at: float
    outcome: str | None


def require_live(snapshot: Snapshot, what: str) -> None:
    """Raise UsageError for what has ended, XsyncError where the runner is gone, that say what to do instead."""
    name = snapshot.execution
    if snapshot.status.ended:
        raise UsageError(f"{name} has ended as {snapshot.status}: there is nothing to {what}. See: xsync report {name}")
    if life_of(snapshot, time.time()) is Life.GONE:
        raise XsyncError(
            f"the runner of {name} is gone (pid {snapshot.runner_pid} on {snapshot.host}): nothing moves and there is "
            f"nothing to {what}. Finished files stay, no half file has its final name. Go on: xsync resume {name} "
            f"End it: xsync cancel {name}"
        )


def ask_and_tell(folder: Path, verb: str, arguments: Mapping[str, Any], *, as_json: bool) -> int:
    """Ask, wait up to ANSWER_SECONDS, tell what came of it; 0 if it was done, else 1."""
    from engine.journal.commands import ask, outcome_of

    who, asked_at, words = _who(), time.time(), verb.replace("_", " ")
    number = ask(folder, verb, arguments, who)
    if not as_json:
        say(f"{words} asked {clock(asked_at)} by {who}")
    deadline = time.monotonic() + ANSWER_SECONDS
    while (outcome := outcome_of(folder, number)) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    if as_json:
        emit(Answer(folder.name, verb, who, asked_at, outcome))
    elif outcome is not None:
        put(f"{words}: {outcome} ({clock(time.time())})")
    else:
        silent = time.time() - read_snapshot(folder).heartbeat_at
        say(
            f"The runner has not answered in {ANSWER_SECONDS:.0f} s (last heartbeat {silent:.0f} s ago). "
            f"What was asked stays in its journal: it will do it when it looks. Watch: xsync attach {folder.name}"
        )
    return 0 if outcome is not None and not outcome.startswith(_REFUSED) else 1


def _who() -> str:
    from engine.home import account_name

    return f"{account_name(os.geteuid())}@{socket.gethostname()}"
