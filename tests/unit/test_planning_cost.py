"""What runs and their results cost, line by line; the price table and what a user changes of it; DataSync beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest
from hatchling.builders.wheel import WheelBuilder
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.execution import expand
from engine.execution.uploads import PART_BYTES as SENT_PART_BYTES
from engine.execution.uploads import part_size
from engine.planning.cost import Bill, RunWork, early_deletion, run_cost, storage_cost, transition_cost
from engine.planning.datasync_cost import datasync_cost
from engine.planning.prices import load_prices
from engine.planning.requests import PART_BYTES, SINGLE_BYTES, Requests, uploads
from engine.planning.values import Dataset, SizeBin
from tests.unit.planning_values import datasets, evenly

PRICES = load_prices()
TB = 10**12


def found(bill: Bill) -> dict[str, Any]:
    return {line.what: (line.count, round(line.dollars, 6)) for line in bill.lines}


def test_the_table_says_its_date_and_region() -> None:
    assert PRICES.basis == "list prices of us-east-1 as of 2025-10-28"
    assert (PRICES.of(None), PRICES.of("OUTPOSTS")) == (PRICES.classes["STANDARD"], PRICES.classes["STANDARD"])


def test_the_wheel_has_the_table(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (wheel,) = WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    with ZipFile(wheel) as archive:
        assert archive.read("engine/planning/prices.toml") == (root / "engine/planning/prices.toml").read_bytes()


def test_storage_is_priced_in_steps() -> None:
    assert PRICES.of(None).month(1e9) == pytest.approx(0.023)
    assert PRICES.of(None).month(100e12) == pytest.approx(51_200 * 0.023 + 48_800 * 0.022)
    assert PRICES.of("DEEP_ARCHIVE").month(100e12) == pytest.approx(99)


def test_small_files_folders_and_parts_each_cost_a_request() -> None:
    dataset = Dataset(
        1_010,
        10**9 + 160 * 2**20,
        50,
        16 * 2**20,
        (SizeBin(1, 10**6, 1_000, 10**9), SizeBin(10**6, 10**8, 10, 10 * 2**26)),
    )
    assert uploads(dataset) == (1_000, 10, 40)
    lines = found(run_cost(RunWork(dataset, listed_destination=5_001, heads=7, metadata_changes=9), PRICES))
    assert lines == {
        "PUT of whole files": (1_000, 0.005),
        "PUT of folder markers and links": (50, 0.00025),
        "POST that begin uploads": (10, 0.00005),
        "PUT of parts": (40, 0.0002),
        "POST that complete uploads": (10, 0.00005),
        "COPY of metadata": (9, 0.000045),
        "HEAD of objects": (7, 0.000003),
        "LIST of the destination": (6, 0.00003),
    }


def test_parts_are_those_that_are_sent() -> None:
    assert (expand.SMALL_BYTES, SENT_PART_BYTES) == (SINGLE_BYTES, PART_BYTES)
    for size in (SINGLE_BYTES + 1, 10**9, 10**12, 5 * 10**12):
        sent = -(-size // part_size(size))
        assert uploads(evenly(1, size)).parts == pytest.approx(sent, rel=0.01)


def test_only_what_completes_an_upload_costs_what_an_archive_costs() -> None:
    lines = {line.what: line.unit_price for line in run_cost(RunWork(evenly(10, 10**10)), PRICES, "DEEP_ARCHIVE").lines}
    assert lines == {
        "POST that begin uploads": pytest.approx(0.005 / 1_000),
        "PUT of parts": pytest.approx(0.005 / 1_000),
        "POST that complete uploads": pytest.approx(0.05 / 1_000),
    }


def test_keys_and_kept_versions_cost_too() -> None:
    work = RunWork(evenly(1_000, 10**9), kms=True, versioned=True, overwritten=evenly(100, 10**10))
    lines = found(run_cost(work, PRICES))
    assert lines["KMS, at most"] == (1_000, 0.003)
    assert lines["noncurrent versions, a month"] == (10, 0.23)


def test_out_of_a_bucket_and_out_of_aws() -> None:
    work = RunWork(
        evenly(1_000, TB),
        to_objects=False,
        from_objects=True,
        listed_source=1_000,
        source_class="STANDARD_IA",
        leaves_aws=True,
    )
    lines = found(run_cost(work, PRICES))
    assert lines["egress to the internet"] == (1_000, 90)
    assert lines["retrieval"] == (1_000, 10)
    assert lines["GET of objects"][0] == 60_000
    assert lines["LIST of the source"] == (1, 0.000005)
    assert not any("PUT" in what for what in lines)


def test_small_objects_are_billed_as_larger_ones() -> None:
    small = evenly(1_000_000, 16_384_000_000)
    lines = found(storage_cost(small, PRICES, "STANDARD_IA"))
    assert lines["storage"] == (pytest.approx(16.384), pytest.approx(0.2048))
    assert lines["billed as the least size"] == (pytest.approx(114.688), pytest.approx(1.4336))
    cold = found(storage_cost(small, PRICES, "DEEP_ARCHIVE"))
    assert cold["overhead of each object"] == (pytest.approx(32.768), pytest.approx(0.03244))
    assert cold["index of each object"] == (pytest.approx(8.192), pytest.approx(0.188416))
    assert "monitoring" in found(storage_cost(small, PRICES, "INTELLIGENT_TIERING"))
    assert list(found(storage_cost(small, PRICES, noncurrent=evenly(1, 10**9)))) == ["storage", "noncurrent versions"]


def test_what_is_replaced_early_is_paid_to_its_end() -> None:
    gone = early_deletion(evenly(10, TB), PRICES, "GLACIER_IR", 30)
    assert gone.dollars == pytest.approx(8)
    assert gone.lines[0].what == "early deletion, 60 days of 90"
    assert early_deletion(evenly(10, TB), PRICES, "GLACIER_IR", 91).dollars == 0
    assert early_deletion(evenly(10, TB), PRICES, None, 0).dollars == 0


def test_moving_objects_to_a_colder_class_later_costs_a_request_each() -> None:
    assert transition_cost(evenly(1_000_000, TB), PRICES, "DEEP_ARCHIVE").dollars == pytest.approx(50)


def test_a_class_without_prices_is_said() -> None:
    assert run_cost(RunWork(evenly(1, 1)), PRICES, "OUTPOSTS").notes == (
        "no prices of OUTPOSTS are known: those of STANDARD are used",
    )


def test_a_campaign_is_the_first_run_and_its_increments() -> None:
    first, later = (
        run_cost(RunWork(evenly(1_000, 10**6)), PRICES),
        run_cost(RunWork(evenly(10, 10**4), heads=5), PRICES),
    )
    whole = first.plus(later.times(10))
    assert found(whole)["PUT of whole files"] == (1_100, 0.0055)
    assert whole.dollars == pytest.approx(first.dollars + 10 * later.dollars)


def test_datasync_once_by_basic_and_by_enhanced() -> None:
    dataset = evenly(10_000, 100 * TB)
    basic = datasync_cost("BASIC", dataset, PRICES)
    enhanced = datasync_cost("ENHANCED", dataset, PRICES)
    assert found(basic.total)["DataSync Basic, data copied"] == (100_000, 1_250)
    service = {what: dollars for what, (_, dollars) in found(enhanced.total).items() if "DataSync" in what}
    assert sum(service.values()) == pytest.approx(1_500.55)
    assert found(basic.first)["GET in verify"][0] == 10_000
    assert "GET in verify" not in found(enhanced.first)
    assert "HEAD in prepare" not in found(basic.first)


def test_datasync_asks_for_all_objects_on_each_later_run() -> None:
    """100 million objects are about 40 USD a run with nothing to move; 720 hourly runs are 396 USD by themselves."""
    dataset = evenly(100_000_000, TB, 10_000)
    found_ = datasync_cost("ENHANCED", dataset, PRICES, incrementals=720)
    later = found(found_.incremental)
    assert later["HEAD in prepare"] == (100_010_000, pytest.approx(40.004))
    assert later["LIST of the destination"][0] == 100_010
    assert later["DataSync Enhanced, task executions"] == (1, 0.55)
    assert found(found_.total)["DataSync Enhanced, task executions"] == (721, pytest.approx(396.55))
    assert (
        found(datasync_cost("ENHANCED", dataset, PRICES, tasks=4).first)["DataSync Enhanced, task executions"][0] == 4
    )


def test_requests_that_are_counted_while_planning_cost_the_same() -> None:
    asked = Requests().plus(PUT=10, POST=2, LIST=1, HEAD=100, DELETE=1_000)
    assert asked.dollars(PRICES) == pytest.approx(13 * 0.005 / 1_000 + 100 * 0.0004 / 1_000)
    assert asked.dollars(PRICES, "GLACIER_IR") == pytest.approx((12 * 0.02 + 0.005 + 100 * 0.01) / 1_000)


def test_a_file_of_the_user_changes_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('date = "2026-01-01"\nregion = "eu-central-1"\n[classes.STANDARD]\nput_per_thousand = 0.0054\n')
    prices = load_prices(str(file))
    assert prices.basis == f"list prices of eu-central-1 as of 2026-01-01, changed by {file}"
    assert prices.of(None).put_per_thousand == 0.0054
    assert prices.of(None).get_per_thousand == PRICES.of(None).get_per_thousand
    assert load_prices() is PRICES


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[clases.STANDARD]", "clases: unknown key (did you mean classes?)"),
        ("[classes.STANDRD]\nput_per_thousand = 1", "classes.STANDRD: unknown key (did you mean STANDARD?)"),
        (
            "[classes.GLACIER]\nput_per_thousnd = 1",
            "classes.GLACIER.put_per_thousnd: unknown key (did you mean put_per_thousand?)",
        ),
        ("[classes.GLACIER]\nput_per_thousand = 'x'", "classes.GLACIER.put_per_thousand: expected a number, got text"),
        ("kms = 3", "kms: expected a section [kms]"),
        ("[egress]\nper_gb = -1", "egress.per_gb: expected a number >= 0.0"),
        ("[egress]\nper_gb = nan", "egress.per_gb: expected a number >= 0.0"),
        (
            "[classes.GLACIER]\nstorage_per_gb_month = [[50, 0.1]]",
            "classes.GLACIER.storage_per_gb_month: expected rising steps, the last one [inf, price]",
        ),
        ("[classes", "no valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        load_prices(str(file))
    assert str(raised.value).startswith(f"{file}: {problem}")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"/nowhere/p\.toml: cannot be read: No such file or directory"):
        load_prices("/nowhere/p.toml")


@given(datasets(), st.sampled_from([None, *PRICES.classes]), st.booleans(), st.booleans())
def test_bills_add_up_and_are_json(dataset: Dataset, storage_class: str | None, into: bool, out: bool) -> None:
    work = RunWork(dataset, into, out, dataset.files, dataset.files, kms=True, source_class=storage_class)
    for bill in (run_cost(work, PRICES, storage_class), storage_cost(dataset, PRICES, storage_class)):
        assert bill.dollars == pytest.approx(sum(line.count * line.unit_price for line in bill.lines))
        assert all(line.count > 0 and line.dollars >= 0 for line in bill.lines)
        assert msgspec.json.decode(msgspec.json.encode(bill), type=Bill) == bill
    single, large, parts = uploads(dataset)
    assert single + large == dataset.files
    assert parts >= 2 * large
