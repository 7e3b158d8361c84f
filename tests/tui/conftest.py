"""Every test of a screen has a home and a current folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from xsync_tui.app import XsyncApp


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where xsync keeps its files in this test."""
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(XsyncApp, "pasted_seconds", 0.0)  # a test types faster than a person
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where exports go."""
    monkeypatch.chdir(tmp_path)
