"""Which execution a command means."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UsageError
from engine.home import find_execution, find_home
from engine.journal.reader import list_executions
from engine.journal.records import Summary
from engine.model import Status


def open_executions() -> list[Summary]:
    """Executions that have not ended, oldest first; also those whose runner is gone."""
    return [each for each in list_executions(find_home()) if each.status is not None and not each.status.ended]


def execution_to_show(text: str | None) -> Path:
    """The folder of the execution that ``text`` means; without one, the newest that has not ended, else the newest."""
    home = find_home()
    if text is None:
        unended = open_executions()
        text = unended[-1].execution if unended else None
    return find_execution(home, text)


def execution_to_act_on(text: str | None) -> Path:
    """The folder of the execution that ``text`` means; without one, the only one that has not ended.

    Raises UsageError when that is none or several: acting on a guess could end the wrong one.
    """
    home = find_home()
    if text is not None:
        return find_execution(home, text)
    unended = open_executions()
    if len(unended) == 1:
        return home.executions / unended[0].execution
    if not unended:
        raise UsageError("No execution is running. Name one, or see: xsync status")
    names = ", ".join(each.execution for each in reversed(unended))
    raise UsageError(f"{len(unended)} executions have not ended: name one of {names}")


def execution_to_end(text: str | None) -> Path:
    """As ``execution_to_act_on``; where nothing runs, what was interrupted has to be named. Raises UsageError."""
    if text is None and not open_executions():
        names = [each.execution for each in list_executions(find_home()) if each.status is Status.INTERRUPTED]
        if names:
            raise UsageError(f"No execution is running. To end one that was interrupted, name it: {', '.join(names)}")
    return execution_to_act_on(text)


def execution_to_resume(text: str | None) -> Path:
    """The folder of the execution that ``text`` means; without one, the newest that is paused or was interrupted.

    Raises UsageError when there is none.
    """
    home = find_home()
    if text is not None:
        return find_execution(home, text)
    for each in reversed(list_executions(home)):
        if each.status is Status.PAUSED or (_left_open(each) and not each.runner_alive):
            return home.executions / each.execution
    raise UsageError("No execution is paused or was interrupted. See: xsync status")


def _left_open(summary: Summary) -> bool:
    return summary.status is not None and (summary.status is Status.INTERRUPTED or not summary.status.ended)
