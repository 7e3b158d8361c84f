"""How long a person waits for a command that does little."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measure import measure
from tests.benchmarks.null_s3 import null_s3
from tests.benchmarks.section import Section, Settings, middle, table
from tests.benchmarks.tools import XSYNC, Endpoint, environment, program, upload

_RUNS = 15
_FILES = 100


def startup(settings: Settings) -> Section:
    """``xsync --version`` and ``xsync status`` of an execution that has ended."""
    folder = Path(tempfile.mkdtemp(dir=settings.folder))
    with null_s3(folder / "null") as server:
        endpoint = Endpoint(server.endpoint_url, "null", "null", "us-east-1", "bench")
        upload(XSYNC, settings.inputs.small(_FILES, 1_024), _FILES, endpoint, folder / "home")
    variables = environment(endpoint, folder / "home")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "xsync --version": [program("xsync"), "--version"],
        "xsync status": [program("xsync"), "status"],
    }
    times = {name: [measure(command, variables) for _ in range(_RUNS)] for name, command in commands.items()}
    wanted = {"python -c pass": "", "xsync --version": "150", "xsync status": "500"}
    rows = [
        [f"`{name}`", middle([usage.wall_seconds * 1e3 for usage in found]), wanted[name]]
        for name, found in times.items()
    ]
    return Section("Start", table(["command", "ms", "wanted below"], rows))
