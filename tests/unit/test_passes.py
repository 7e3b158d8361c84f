"""What past executions tell: which of them show churn, how much, and which rates they measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.execution.cutover.work import Known, roofline_of, work_of
from engine.execution.foretelling.passes import Measured, history_of, reports_of
from engine.home import JOURNAL_NAME, Home
from engine.model import FilterSpec, LocationSpec, Migration, TransferOptions
from engine.planning.cutover import Busiest
from engine.planning.freeze import LISTING
from engine.planning.surroundings import default_roofline
from engine.planning.values import Figure, Origin, Roofline

SENT = Roofline(Figure(100.0, Origin("test run", "one")), Figure(1e8, Origin("test run", "one")))


def report(began: float, sent: int = 10, size: int = 1_000, **more: Any) -> dict[str, Any]:
    given = {
        "execution": f"run-{began:.0f}",
        "started_at": began,
        "seconds": 30.0,
        "status": "SUCCESS",
        "listing_complete": True,
        "files": {"discovered": 1_000, "transferred": sent, "deleted": 3, "pending": 0},
        "folders": {"discovered": 100, "deleted": 1},
        "bytes": {"transferred": size},
        "transfer_seconds": 10.0,
        "phase_seconds": {"listing": 5.0, "folders": 2.0},
        "skipped": {},
        "top_folders": [],
        "drift": None,
        "verification": None,
        "migration": {"options": {}, "agents": 2},
    }
    return given | more


def test_a_pass_tells_what_changed_since_the_one_before_it_began() -> None:
    found = history_of([report(0.0, 1_000, 10**6), report(600.0), report(4_200.0, 50, 9_000)])
    assert [each.length for each in found.passes] == [None, 600.0, 3_600.0]
    assert [(each.length, each.files, each.bytes, each.deletions) for each in found.churn.passes] == [
        (600.0, 10, 1_000, 4),
        (3_600.0, 50, 9_000, 4),
    ]
    assert (found.entries, found.folders, found.held) == (1_100, 100, 1_100)


@pytest.mark.parametrize(
    "unfinished",
    [
        {"status": "CANCELLED"},
        {"listing_complete": False},
        {"files": {"discovered": 9, "transferred": 1, "deleted": 0, "pending": 8}},
    ],
)
def test_after_an_unfinished_one_a_pass_does_not_tell(unfinished: dict[str, Any]) -> None:
    found = history_of([report(0.0), report(100.0, **unfinished), report(200.0), report(300.0)])
    assert [each.length for each in found.passes] == [None, None, None, 100.0]


def test_a_pass_that_sends_everything_tells_no_churn() -> None:
    everything = {"options": {"transfer_mode": "ALL"}, "agents": 2}
    found = history_of([report(0.0), report(100.0, migration=everything), report(200.0)])
    assert [each.length for each in found.passes] == [None, None, 100.0]


@pytest.mark.parametrize("told", [{"drift": {"missing": 3, "changed": 1}}, {"mended": 4}])
def test_what_was_mended_at_the_destination_did_not_change_at_the_source(told: dict[str, Any]) -> None:
    found = history_of([report(0.0), report(100.0, 10, 1_000, **told)])
    assert (found.passes[1].files, found.passes[1].bytes) == (6, 600)


def test_rates_come_from_runs_that_were_long_enough_and_of_the_right_sizes() -> None:
    small, large = report(0.0, 50_000, 50_000 * 1_000), report(100.0, 500, 10**11)
    found = history_of([small, large, report(200.0)]).measured
    assert found.files_per_second is not None
    assert found.bytes_per_second is not None
    assert (found.files_per_second.value, found.files_per_second.origin.source) == (5_000.0, "run-0")
    assert (found.bytes_per_second.value, found.bytes_per_second.origin.source) == (1e10, "run-100")
    assert found.listing is not None
    assert (found.listing.value, found.listing.origin) == (220.0, Origin("execution", "run-200", 200.0))
    assert found.folder_times is not None
    assert found.folder_times.value == 50
    assert found.overhead is not None
    assert found.overhead.value == pytest.approx(30 - 10 - 2)
    assert (found.deleting, found.verifying) == (None, None)


@pytest.mark.parametrize(
    "limit", [{"bytes_per_second": 1.05e10, "waited": 0.0}, {"bytes_per_second": 1, "waited": 0.3}]
)
def test_runs_that_a_limit_held_back_measure_no_rate_of_agents(limit: dict[str, float]) -> None:
    found = history_of([report(0.0, 500, 10**11, limit=limit), report(100.0, 500, 10**10)]).measured
    assert found.bytes_per_second is not None
    assert found.bytes_per_second.value == 1e9
    assert history_of([report(0.0, 500, 10**11, limit=limit)]).measured.bytes_per_second is None


def test_a_verification_tells_its_rate_what_is_held_and_what_had_to_be_asked_for() -> None:
    verified = {"files": 900, "folders": 100, "seconds": 4.0, "requests": {"HEAD": 7}, "listed": {"destination": 1_234}}
    found = history_of([report(0.0, verification=verified)])
    assert found.measured.verifying is not None
    assert (found.measured.verifying.value, found.held, found.asked) == (250.0, 1_234, 7)


def test_the_busiest_top_folder_is_that_of_the_passes_not_of_the_first_copy() -> None:
    def folders(a: int, b: int) -> list[dict[str, Any]]:
        return [{"folder": "a", "files": 1, "bytes": a}, {"folder": "b", "files": 4, "bytes": b}]

    found = history_of([report(0.0, top_folders=folders(9_000, 0)), report(100.0, top_folders=folders(250, 750))])
    assert found.busiest == Busiest("b", 0.4, 0.75)


def test_without_executions_there_is_nothing() -> None:
    found = history_of([])
    assert (found.passes, found.churn.known, found.measured) == ((), False, Measured())


def test_one_agent_is_an_even_share_of_what_was_measured_else_what_the_profile_says() -> None:
    measured = Measured(4, Figure(2_000.0, Origin("execution", "x")))
    assert roofline_of(measured, Known(SENT)) == Roofline(
        Figure(500.0, Origin("execution", "x")), SENT.bytes_per_second
    )
    assert roofline_of(Measured(), Known()) == default_roofline()


def test_the_work_of_a_freeze_follows_the_migration() -> None:
    history = history_of([report(0.0)])
    mirror = Migration(
        LocationSpec("/a"), LocationSpec("s3://b"), options=TransferOptions(preserve_deleted_files="REMOVE")
    )
    found = work_of(mirror, history, None, Known())
    assert found.deleting is not None
    assert (found.folder_times, found.destination_objects, found.source_objects) == (None, True, False)
    other = work_of(Migration(LocationSpec("s3://b"), LocationSpec("/a")), history_of([]), None, Known())
    assert (other.deleting, other.listing, other.source_objects) == (None, LISTING, True)
    assert other.folder_times is not None
    held = msgspec.structs.replace(mirror, options=TransferOptions(bytes_per_second=12_000_000))
    assert work_of(held, history, None, Known()).fleets[0].bytes_per_second.value == 12e6


def test_reports_are_those_of_the_same_sides_and_if_asked_for_the_same_filters(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "profiles", own_base=False)
    filters = FilterSpec(include=("/2024", "/2025"))
    here = Migration(LocationSpec("file:///a"), LocationSpec("s3://b"), filters=filters)
    elsewhere = msgspec.structs.replace(here, destination=LocationSpec("s3://c"))
    whole = msgspec.structs.replace(here, filters=FilterSpec())
    for number, migration in enumerate((here, elsewhere, whole)):
        folder = home.executions / f"2026112{number}-000000-000{number}"
        folder.mkdir(parents=True)
        (folder / JOURNAL_NAME).touch()
        said = {
            "source": migration.source.url,
            "destination": migration.destination.url,
            "migration": {"destination": {}, "filters": msgspec.to_builtins(migration.filters)},
            "retry": None,
            "execution": folder.name,
        }
        (folder / "report.json").write_bytes(msgspec.json.encode(said))
    assert [each["execution"] for each in reports_of(home, here)] == ["20261120-000000-0000"]
    both = [each["execution"] for each in reports_of(home, here, any_filters=True)]
    assert both == ["20261120-000000-0000", "20261122-000000-0002"]
