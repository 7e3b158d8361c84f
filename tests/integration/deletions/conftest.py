"""A source and a destination in a home of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import make_source


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", files=40)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"
