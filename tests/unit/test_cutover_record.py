"""How far a cutover is: the order of steps, what is done again, what is kept on disk; and what stillness is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BusyError, RefusedError, StoppedError, XsyncError
from engine.execution.comparing.verification import Verification
from engine.execution.cutover.checking import judge
from engine.execution.cutover.record import (
    STEPS,
    Cutover,
    Done,
    Step,
    alone,
    delta_of,
    forget_cutover,
    newer_execution,
    read_cutover,
    write_cutover,
)
from engine.execution.cutover.signoff import unknowns
from engine.execution.cutover.stillness import Seen, wait_until_quiet, words
from engine.execution.launch import RunRequest, create, start
from engine.home import Home
from engine.model import LocationSpec, Migration, TransferOptions

MIGRATION = Migration(LocationSpec("/a"), LocationSpec("/b"), "lab")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path))
    return Home(tmp_path, tmp_path / "profiles", False)


def cutover(*done: Step, delta: str | None = None) -> Cutover:
    return Cutover("lab", MIGRATION, 1.0, "kim@host", {step: Done(2.0, "kim@host", step) for step in done}, delta)


def test_steps_come_in_order() -> None:
    now = cutover()
    for step in STEPS:
        assert now.next == step
        now = now.done(step, Done(2.0, "kim@host", "so"))
    assert now.next is None


def test_going_back_forgets_what_follows_and_an_older_final_delta() -> None:
    now = cutover(*STEPS, delta="one")
    assert set(now.back_to("verification").steps) == {"readiness", "read-only", "delta"}
    assert now.back_to("verification").delta == "one"
    assert now.back_to("delta").delta is None
    assert now.back_to("delta").next == "delta"


def test_another_session_verifies_again_what_is_not_handed_over() -> None:
    verified = cutover("readiness", "read-only", "delta", "verification", "sign-off", delta="one")
    assert verified.resumed().next == "verification"
    before = cutover("readiness", "read-only", "delta", delta="one")
    assert before.resumed() == before
    assert cutover(*STEPS, delta="one").resumed().next is None


def test_a_final_delta_looks_at_the_destination_and_leaves_the_verification_to_the_checklist() -> None:
    options = TransferOptions(verify_mode="POINT_IN_TIME_CONSISTENT", preserve_deleted_files="REMOVE")
    found = delta_of(Migration(MIGRATION.source, MIGRATION.destination, options=options)).options
    assert (found.delta, found.verify_mode) == ("destination", "ONLY_FILES_TRANSFERRED")
    assert found.preserve_deleted_files == "REMOVE"
    assert delta_of(Migration(MIGRATION.source, MIGRATION.destination)).options.preserve_deleted_files == "PRESERVE"


def test_what_is_kept_is_read_again_and_forgotten(home: Home) -> None:
    assert read_cutover(home, "lab") is None
    now = cutover("readiness", delta="one")
    write_cutover(home, now)
    assert read_cutover(home, "lab") == now
    forget_cutover(home, "lab")
    forget_cutover(home, "lab")
    assert read_cutover(home, "lab") is None


def test_a_damaged_record_is_an_error_that_names_it(home: Home) -> None:
    write_cutover(home, cutover())
    (home.cutovers / "lab.json").write_text("{")
    with pytest.raises(XsyncError, match=r"lab\.json cannot be read"):
        read_cutover(home, "lab")


def test_only_one_process_works_on_a_cutover(home: Home) -> None:
    with (
        alone(home, "lab"),
        alone(home, "other"),
        pytest.raises(BusyError, match="another xsync cutover lab"),
        alone(home, "lab"),
    ):
        pass
    with alone(home, "lab"):
        pass


def test_a_later_execution_into_the_same_place_is_seen(home: Home) -> None:
    delta = create(RunRequest(MIGRATION)).name
    now = cutover("readiness", delta=delta)
    create(RunRequest(Migration(LocationSpec("/a"), LocationSpec("/elsewhere"))))
    assert newer_execution(home, now) is None
    inside = create(RunRequest(Migration(LocationSpec("/x"), LocationSpec("/b/inside")))).name
    assert newer_execution(home, now) == inside


def test_a_profile_that_was_handed_over_does_not_run_again(home: Home) -> None:
    write_cutover(home, cutover(*STEPS))
    with pytest.raises(RefusedError, match="was handed over to its users"):
        start(RunRequest(MIGRATION, "lab"), detached=False)
    assert not list(home.executions.iterdir())


def report(**more: Any) -> dict[str, Any]:
    files = {"discovered": 12, "excluded": 1, "failed": 0}
    return {"files": files, "skipped": {"special": 1}, "migration": {"options": {}}} | more


def verification(files: int = 10, differences: dict[str, int] | None = None, changed: int = 0) -> Verification:
    return Verification("a", "b", files, 2, 5, 1.0, {}, differences or {}, {}, 0, {}, changed)


def test_a_verification_is_judged_by_the_final_delta_before_it() -> None:
    assert judge(verification(), report()).good
    assert judge(verification(differences={"foreign": 3}), report()).good
    assert judge(verification(differences={"foreign": 1, "size": 2}), report()) == ("", "2 size")
    assert judge(verification(changed=1, differences={"missing": 1}), report()) == (
        "1 file new or changed",
        "1 missing",
    )
    assert judge(verification(files=7), report()).changed == "3 files gone"
    devices = report(migration={"options": {"preserve_devices": "PRESERVE"}})
    assert judge(verification(files=7), devices).good


def test_waiting_looks_again_until_nothing_changed_for_long_enough() -> None:
    now = [1_000.0]
    seen = iter([Seen(990.0, 5), Seen(1_030.0, 6), Seen(1_030.0, 6)])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    found = wait_until_quiet(lambda: next(seen), 60.0, clock=lambda: now[0], sleep=sleep)
    assert found == Seen(1_030.0, 6)
    assert now[0] == pytest.approx(1_090.0)
    assert next(seen, None) is None


def test_waiting_ends_when_it_is_stopped() -> None:
    def looks() -> Iterator[Seen]:
        while True:
            yield Seen(1_000.0, 1)

    found = looks()
    with pytest.raises(StoppedError):
        wait_until_quiet(lambda: next(found), 60.0, cancelled=lambda: True, clock=lambda: 1_000.0)


def test_no_more_is_said_of_a_source_than_is_known() -> None:
    folder, bucket = LocationSpec("/a"), LocationSpec("s3://a")
    assert words(Seen(940.0, 12_000), 1_000.0, folder) == (
        "no change seen for 1 min among 12,000 entries; whether it can still be written to is not known"
    )
    assert "deletions leave no trace in a bucket" in words(Seen(940.0, 1), 1_000.0, bucket)
    assert "no change seen for 0 s among 1 entries (a time of it lies 30 s ahead" in words(
        Seen(1_030.0, 1), 1_000.0, folder
    )
    assert words(Seen(None, 0), 1_000.0, folder) == "the source is empty"


@pytest.mark.parametrize(("unseen", "said"), [(1_200, True), (0, False)])
def test_what_was_not_looked_at_is_in_the_report(unseen: int, said: bool) -> None:
    found = {"verified": {"etag": 5}, "differences": {}, "metadata_unseen": unseen}
    nothing = {"excluded": 0}
    delta = {"files": nothing, "folders": nothing, "skipped": {}}
    texts = unknowns(cutover("read-only"), {"delta": delta, "verification": found})
    assert any("Mode, owner and times of 1,200 objects" in text for text in texts) is said
