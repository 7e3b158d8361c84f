"""The folders of a run: seen to be what they were, or not, or not to be seen at all."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from engine.errors import DestinationError, SourceError
from engine.execution import roots
from engine.execution.roots import Roots
from engine.model import LocationSpec


@pytest.fixture
def held(tmp_path: Path) -> Roots:
    for name in ("source", "destination"):
        (tmp_path / name).mkdir()
    return Roots("e1", [LocationSpec(f"{tmp_path}/source")], [LocationSpec(f"{tmp_path}/destination")])


def check(held: Roots) -> None:
    try:
        asyncio.run(held.check())
    finally:
        held.close()


def test_as_long_as_paths_lead_to_the_same_folders_nothing_is_said(held: Roots, tmp_path: Path) -> None:
    (tmp_path / "source" / "new").touch()
    (tmp_path / "destination").chmod(0o700)
    check(held)


def test_a_folder_of_the_same_name_is_another(held: Roots, tmp_path: Path) -> None:
    (tmp_path / "destination").rename(tmp_path / "before")
    (tmp_path / "destination").mkdir()
    with pytest.raises(DestinationError, match=r"destination .* is not what it was.*xsync resume e1"):
        check(held)


def test_a_folder_that_is_gone_is_not_waited_for(held: Roots, tmp_path: Path) -> None:
    (tmp_path / "source").rmdir()
    with pytest.raises(SourceError, match="is not what it was"):
        check(held)


def test_what_may_pass_is_waited_for(held: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [errno.ESTALE, errno.ETIMEDOUT, None, None]
    monkeypatch.setattr(roots, "_moved", lambda _: answers.pop(0))
    monkeypatch.setattr(roots, "_LOOK_SECONDS", 0.0)
    check(held)
    assert answers == []


def test_at_the_end_what_does_not_answer_holds_nothing_up(held: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(roots, "_moved", lambda _: answers.wait())
    monkeypatch.setattr(roots, "HURRY_SECONDS", 0.05)
    held.hurry()
    with pytest.raises(SourceError, match="does not answer"):
        check(held)
    answers.set()


def test_buckets_are_no_folders() -> None:
    check(Roots("e1", [LocationSpec("s3://a")], [LocationSpec("s3://b")]))
