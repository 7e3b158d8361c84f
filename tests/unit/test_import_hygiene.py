"""What a command loads decides how fast it starts: each runs in a process of its own that tells its modules."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = {"textual", "duckdb", "pyarrow", "botocore", "cryptography"}

_LOADED_BY_COMMAND = """
import json, sys
from xsync_tui.__main__ import main
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps({"code": code, "loaded": sorted(sys.modules)}), file=sys.stderr)
"""

_LOADED_BY_ENGINE = """
import importlib, json, pkgutil, sys
import engine
names = [module.name for module in pkgutil.walk_packages(engine.__path__, "engine.")]
for name in names:
    if not name.endswith(".__main__"):
        importlib.import_module(name)
print(json.dumps({"code": len(names), "loaded": sorted(sys.modules)}), file=sys.stderr)
"""


def _run(script: str, *arguments: str, home: Path) -> tuple[int, set[str], str]:
    """Run ``script`` with ``arguments``; return its exit code, the modules it loaded and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "XSYNC_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.strip(), done
    *_, last = done.stderr.splitlines()
    assert last.startswith("{"), done.stderr
    result = json.loads(last)
    return int(result["code"] or 0), set(result["loaded"]), done.stdout


def test_the_libraries_looked_for_are_installed() -> None:
    assert all(importlib.util.find_spec(name) for name in _HEAVY)


def test_the_whole_engine_loads_without_anything_of_a_screen(tmp_path: Path) -> None:
    modules, loaded, _ = _run(_LOADED_BY_ENGINE, home=tmp_path)
    assert modules > 10
    assert not loaded & {"textual", "xsync_tui", "profiles"}


def test_version_loads_nothing_heavy(tmp_path: Path) -> None:
    code, loaded, output = _run(_LOADED_BY_COMMAND, "--version", home=tmp_path)
    assert code == 0
    assert not loaded & _HEAVY
    assert "0." in output


@pytest.mark.parametrize("arguments", [("--help",), ("status", "--help"), ("status",), ("status", "--json")])
def test_help_and_status_read_a_journal_without_fleet_catalog_or_cloud(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    _, loaded, _ = _run(_LOADED_BY_COMMAND, *arguments, home=tmp_path)
    assert not loaded & _HEAVY


_LOADED_BY_APP = """
import json, sys
import xsync_tui.app, xsync_tui.screens.home
print(json.dumps({"code": 0, "loaded": sorted(sys.modules)}), file=sys.stderr)
"""


def test_the_first_frame_of_the_app_waits_for_no_database_and_no_cloud(tmp_path: Path) -> None:
    _, loaded, _ = _run(_LOADED_BY_APP, home=tmp_path)
    assert "textual" in loaded
    assert loaded & _HEAVY == {"textual"}


def test_python_dash_m_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "xsync_tui", "--version"],
        env={**os.environ, "XSYNC_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip()
