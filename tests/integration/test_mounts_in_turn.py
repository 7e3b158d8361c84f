"""An export that is mounted several times: each agent works through the mount whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import SourceError
from engine.execution.agents.twin import TwinFleet
from engine.execution.mounts import mounts_in_turn
from engine.locations.registry import open_location
from engine.model import LocationSpec, Migration, Status
from engine.transfer.units import AgentConfig
from tests.in_process import run_in_process
from tests.privileges import mounted
from tests.support import make_source, tree_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))


@pytest.fixture
def second_mount(tmp_path: Path) -> Iterator[Path]:
    """``tmp_path / "source"`` mounted once more."""
    source, mount = tmp_path / "source", tmp_path / "mount"
    source.mkdir()
    mount.mkdir()
    with mounted(mount, "--bind", source):
        yield mount


class WatchedFleet(TwinFleet):
    """Remembers which source each of its agents has."""

    def __init__(self, config: AgentConfig) -> None:
        super().__init__(config)
        self.sources: dict[str, str] = {}

    def add(self, name: str) -> None:
        super().add(name)
        self.sources[name] = self._engines[name]._shared.source.url


def test_agents_take_the_mounts_in_turn(tmp_path: Path, second_mount: Path) -> None:
    make_source(tmp_path / "source", files=300, large=(40 << 20,))
    source = LocationSpec(str(tmp_path / "source"), mounts=(str(second_mount),))
    fleets: list[WatchedFleet] = []

    def watched(config: AgentConfig) -> WatchedFleet:
        fleets.append(WatchedFleet(config))
        return fleets[0]

    migration = Migration(source, LocationSpec(str(tmp_path / "target")), agents=3)
    snapshot = asyncio.run(run_in_process(migration, watched))
    assert snapshot.status is Status.SUCCESS, snapshot.message
    assert tree_of(tmp_path / "target") == tree_of(tmp_path / "source")
    first, second = str(tmp_path / "source"), str(second_mount)
    assert fleets[0].sources == {"agent-1": first, "agent-2": second, "agent-3": first}


def test_another_folder_is_no_mount_of_the_same_export(tmp_path: Path) -> None:
    for name in ("source", "other"):
        (tmp_path / name).mkdir()
    spec = LocationSpec(str(tmp_path / "source"), mounts=(str(tmp_path / "other"),))
    with pytest.raises(SourceError, match="not the same folder"):
        mounts_in_turn(spec, open_location(spec), SourceError)


def test_a_missing_mount_is_named(tmp_path: Path) -> None:
    spec = LocationSpec(str(tmp_path), mounts=(str(tmp_path / "gone"),))
    with pytest.raises(SourceError, match=r"gone cannot be used: No such file"):
        mounts_in_turn(spec, open_location(spec), SourceError)
