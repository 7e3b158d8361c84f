"""How deletions are asked for, refused by exit code, and shown."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.errors import ProfileError, SourceError
from engine.execution import launch
from engine.execution.launch import Launched, RunRequest
from engine.journal.reader import read_snapshot
from engine.model import Deletions, Snapshot, Status, Tally
from profiles import store
from profiles.convert import to_migration
from tests.unit.cli_journals import CLEAN, make_execution, xsync
from xsync_tui.cli.look import Look
from xsync_tui.cli.outcome import exit_code, result_json, summary_lines
from xsync_tui.cli.plain_view import one_line, view

Capture = pytest.CaptureFixture[str]

PROFILE = 'schema = 1\nname = "lab"\n[source]\nurl = "/a"\n[destination]\nurl = "/b"\n[options]\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))


def requested(monkeypatch: pytest.MonkeyPatch) -> list[RunRequest]:
    requests: list[RunRequest] = []

    def refuse(request: RunRequest, **_: bool) -> Launched:
        requests.append(request)
        raise SourceError("not now")

    monkeypatch.setattr(launch, "start", refuse)
    return requests


def shown(status: Status, deletions: Deletions | None, **changes: int) -> Snapshot:
    totals = msgspec.structs.replace(CLEAN, deletions=deletions)
    if changes:
        totals = msgspec.structs.replace(totals, files=totals.files.plus(**changes), folders=Tally(12, deleted=1))
    return read_snapshot(make_execution("lab", status, totals=totals, message="so"))


def test_a_profile_says_what_may_be_deleted() -> None:
    text = (
        PROFILE
        + 'preserve_deleted_files = "REMOVE"\nmax_deletions = 5\nmax_deletion_share = 0.5\ndelete_foreign = true'
    )
    options = to_migration(store.parse(text, "lab.toml")).options
    assert (options.preserve_deleted_files, options.max_deletions) == ("REMOVE", 5)
    assert (options.max_deletion_share, options.delete_foreign) == (0.5, True)
    plain = to_migration(store.parse(PROFILE, "lab.toml")).options
    assert (plain.preserve_deleted_files, plain.max_deletions, plain.max_deletion_share) == ("PRESERVE", None, 0.1)
    assert plain.delete_foreign is False


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('transfer_mode = "ALL"\npreserve_deleted_files = "REMOVE"', "REMOVE is not possible with transfer_mode ALL"),
        ("max_deletions = -1", "expected a whole number >= 0"),
        ("max_deletion_share = 1.5", "expected a number <= 1"),
    ],
)
def test_a_profile_that_cannot_mean_it_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        store.parse(PROFILE + text, "lab.toml")


def test_the_command_line_says_so_too_with_a_profile_and_without(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    requests = requested(monkeypatch)
    store.save(store.parse(PROFILE, "lab"))
    flags = ["--delete", "--max-deletions", "7", "--delete-foreign"]
    xsync(capsys, "run", "/a", "/b", *flags)
    xsync(capsys, "run", "lab", *flags)
    xsync(capsys, "run", "lab")
    for request in requests[:2]:
        options = request.migration.options
        assert (options.preserve_deleted_files, options.max_deletions, options.delete_foreign) == ("REMOVE", 7, True)
    assert requests[2].migration.options.preserve_deleted_files == "PRESERVE"


def test_a_profile_that_sends_all_cannot_delete(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    requests = requested(monkeypatch)
    store.save(store.parse(PROFILE + 'transfer_mode = "ALL"', "lab"))
    ran = xsync(capsys, "run", "lab", "--delete")
    assert ran.code == 2
    assert "transfer_mode" in ran.err
    assert requests == []


def test_a_refusal_has_exit_code_4_unless_work_is_left() -> None:
    refused = Deletions(files=9, held_back="too many", refused=True)
    assert exit_code(shown(Status.ERROR, refused), gone=False) == 4
    assert exit_code(shown(Status.ERROR, msgspec.structs.replace(refused, refused=False)), gone=False) == 1
    assert exit_code(shown(Status.SUCCESS, Deletions(files=9), deleted=9), gone=False) == 0
    assert exit_code(shown(Status.ERROR, refused, discovered=5), gone=False) == 1


def test_what_was_deleted_and_what_stays_is_said() -> None:
    found = Deletions(files=9, folders=1, foreign_files=2, listed_in="/x/deletions.parquet", versioned=True)
    snapshot = shown(Status.SUCCESS, found, deleted=9)
    text = "\n".join(summary_lines(snapshot, [], {}, Look(80, 24), gone=False))
    assert "9 files and 1 folder deleted" in text
    assert "2 files and 0 folders at the destination were not put there by xsync and stay: /x/deletions.parquet" in text
    assert "noncurrent" in text
    assert "10 deleted" in "\n".join(view(snapshot, snapshot.heartbeat_at, Look(80, 24)))
    assert "10 deleted" in one_line(snapshot, snapshot.heartbeat_at, Look(80, 24))
    assert result_json(snapshot, {}, None, gone=False)["deletions"]["files"] == 9


def test_a_refusal_is_said_in_the_headline() -> None:
    snapshot = shown(Status.ERROR, Deletions(files=9, held_back="too many", refused=True))
    assert "nothing was deleted" in "\n".join(view(snapshot, snapshot.heartbeat_at, Look(80, 24)))
