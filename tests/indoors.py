"""The xsync command without processes: it, its runner and its agents are threads of the test. Saves their starts."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from engine.execution import launch, main
from engine.execution.agents.twin import TwinFleet
from engine.execution.committer import Committer
from engine.execution.session import Session
from engine.execution.session import prepare as real_prepare
from engine.transfer.units import AgentConfig
from tests.support import Finished, Xsync
from xsync_tui.cli import entry


class Indoors(Xsync):
    """For what does not depend on processes: who kills, limits or signals them takes Xsync."""

    def run(self, *arguments: str | os.PathLike[str], seconds: float = 90) -> Finished:
        """Run a command to its end."""
        assert not self.wrapper, "a wrapper is for a process"
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        settings = {"XSYNC_HOME": str(self.home), **self.env}
        with patch.dict(os.environ, settings), _runner_here(), redirect_stdout(out), redirect_stderr(err):
            code = entry.run([*map(str, arguments), "--json"])
        out.seek(0)
        err.seek(0)
        return Finished(code, [json.loads(line) for line in out if line.strip()], err.read())


class _Ended:
    """A runner's process as its parent sees it: this one, and it has ended."""

    pid = os.getpid()
    stdin = None

    def __init__(self, code: int) -> None:
        self.returncode = code

    def poll(self) -> int:
        """Its exit code."""
        return self.returncode

    def wait(self) -> int:
        """Its exit code."""
        return self.returncode


@contextmanager
def _runner_here() -> Iterator[None]:
    """Whoever starts a runner's process in the block runs it to its end instead."""

    def run(command: Sequence[str], **_: object) -> _Ended:
        return _Ended(_run_to_its_end(Path(command[-1])))

    with patch.object(launch, "subprocess", SimpleNamespace(Popen=run, PIPE=subprocess.PIPE)):
        yield


def _run_to_its_end(folder: Path) -> int:
    sessions: list[Session] = []

    async def prepare(folder: Path, committer: Committer) -> Session:
        sessions.append(await real_prepare(folder, committer))
        return sessions[0]

    def fleet(config: AgentConfig, _folder: Path) -> TwinFleet:
        return TwinFleet(config)

    with patch.object(main, "prepare", prepare), patch.object(main, "LocalFleet", fleet):
        code = main.main(folder)
    for session in sessions:  # a process of its own leaves them to its end
        session.sides.source.close()
        session.sides.destination.close()
    return code
