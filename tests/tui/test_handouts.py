"""What test run, cutover and report are as Markdown, read by who does not have the app."""

from __future__ import annotations

import re
from datetime import UTC

import msgspec
import pytest

from engine.execution.cutover.signoff import rollback_note
from engine.planning.values import Figure, Origin
from xsync_tui.drawing.cutover import View
from xsync_tui.drawing.handout_report import report_handout
from xsync_tui.drawing.handout_testrun import handout_of_test
from xsync_tui.drawing.runbook import runbook
from xsync_tui.gallery.executions import HOSTILE
from xsync_tui.gallery.planning import NOW
from xsync_tui.gallery.proving import DAY, FAILED, LINEAR, begun, measured_run, past, ready

SIDES = ("file:///mnt/lab", "s3://lab/img")
TALLY = dict.fromkeys(("discovered", "transferred", "skipped", "failed", "excluded", "pending", "deleted"), 0)
REPORT = FAILED | {
    "execution": "20250514-203344-lab-images-0000",
    "xsync_version": "0.1.0",
    "source": SIDES[0],
    "destination": SIDES[1],
    "folders": TALLY | {"discovered": 1_200, "transferred": 1_200, "verified": 0},
    "verified": {"server-checked": 12_412_904},
    "listing_complete": True,
    "retry": None,
    "audit_trail": "/home/kim/.xsync/executions/e/files.parquet",
    "drift": {"missing": 3, "changed": 0, "gone": 0, "foreign": 1_204, "gone_bytes": 0, "foreign_bytes": 9},
    "verification": {"files": 12_412_904, "folders": 1_200, "differences": {"content": 2}, "metadata_unseen": 9_000},
}


def booked(view: View) -> str:
    return runbook(view, SIDES, rollback_note(begun()), UTC)


def texts() -> dict[str, str]:
    view = View("lab-images", past(), ready(7_200.0), begun("readiness", "read-only"), schedule=True, now=NOW)
    return {
        "test run": handout_of_test(LINEAR, "lab-images", NOW, UTC),
        "cutover": booked(view),
        "report": report_handout(REPORT, "lab-images", NOW, UTC),
    }


def test_a_cutover_that_stopped_says_why() -> None:
    record = begun("readiness", "read-only").back_to("delta", f"The two sides differ: {HOSTILE}.")
    told = booked(View("lab-images", past(), ready(7_200.0), record, now=NOW))
    assert "- It stopped: The two sides differ: " in told
    assert HOSTILE not in told


def test_a_step_that_was_steady_enough_to_count_is_no_step_that_was_not() -> None:
    (first, *others) = LINEAR.steps
    counted = msgspec.structs.replace(first, ended="out of time", spread=0.04)
    left_out = msgspec.structs.replace(first, ended="out of time", spread=0.5)
    for step, word in ((counted, "nearly, when its time was up"), (left_out, "no: its time was up")):
        found = msgspec.structs.replace(LINEAR, steps=(step, *others))
        assert f"| {word} |" in handout_of_test(found, "lab-images", NOW, UTC)


@pytest.mark.parametrize("which", ["test run", "cutover", "report"])
def test_it_has_full_dates_harmless_names_whole_tables_and_no_keys_of_the_app(which: str) -> None:
    text = texts()[which]
    assert "2025-05-14" in text
    assert re.search(r"\d\d:\d\d:\d\d \+0000", text)
    assert "\x1b" not in text
    assert HOSTILE not in text
    assert not re.search(r"\b(v shows|\d shows|f shows|T tests)\b", text)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_a_test_run_says_rates_changes_what_is_left_and_what_it_rests_on() -> None:
    text = texts()["test run"]
    assert "**LINEAR**: " in text
    assert re.search(r"\| 2 \| 1.10 GB/s \| \d+ (s|min) \| 549 MB/s \|", text)
    assert "| rate limit | idle |" in text
    assert "Left when it ended: 12,313,907 files with 43.9 TB, which take 5 h 35 - 6 h 35 with 4 agents" in text
    assert "| agents | rate | this number was |" in text
    assert "One agent, large files: 551 MB/s (measured: " in text
    assert "are 94 % like those of the whole" in text


def test_a_test_run_without_a_steady_step_promises_nothing() -> None:
    text = handout_of_test(measured_run({1: 551e6}, ended="out of data"), "lab-images", NOW, UTC)
    assert "no: all was copied" in text
    assert "other numbers of agents" not in text
    assert "What it changes" not in text


def test_a_runbook_says_freeze_steps_and_ways_back() -> None:
    text = texts()["cutover"]
    assert "The profile has a schedule" in text
    assert "| part | now: " in text
    assert "| 1 | readiness seen and confirmed | done 2025-05-14" in text
    assert "by kim@agent-01: READY: the freeze fits. |" in text
    assert "| 3 | final delta | to do |" in text
    assert "s3://lab/img NEW-FOLDER" in text
    assert "| next | predicted |" in text


def test_a_runbook_says_what_would_help_and_which_rates_were_measured() -> None:
    history = past()
    listing = Figure(98_000.0, Origin("execution", "pass 3", NOW - DAY))
    measured = msgspec.structs.replace(history.measured, listing=listing)
    history = msgspec.structs.replace(history, measured=measured)
    text = booked(View("lab-images", history, ready(300.0), verifies=False, now=NOW))
    assert "## What would help, each alone" in text
    assert "Both sides are not compared" in text
    assert "- Listing the source, entries/s: 98,000 (measured: pass 3, 2025-05-" in text


def test_a_runbook_without_passes_says_so_and_still_has_the_steps() -> None:
    history = msgspec.structs.replace(past(), passes=())
    text = booked(View("lab-images", history, ready(None, known=False), now=NOW))
    assert "**UNKNOWN**: how much the source changes is not known" in text
    assert "## The freeze" not in text
    assert text.count("| to do |") == 7


def test_a_report_says_ledger_failures_drift_and_where_each_entry_is() -> None:
    text = texts()["report"]
    assert "**ERROR**: 3 of 12,412,907 files failed" in text
    assert "| files | 12,412,907 | 12,412,904 | 0 | 3 | 0 | 0 | 0 | 12,412,904 |" in text
    assert "Foretold 2 h 46 - 3 h 54, took 6 h 22: later" in text
    assert "- 2: changed while read. It was written to while it was read" in text
    assert "1,204 files were put there by others" in text
    assert "Differences: 2 content" in text
    assert "Mode, owner and times of 9,000 objects were not looked at" in text
    assert "| 2025 | 3,103,000 | 14.0 TB | 29 % |" in text
    assert "files.parquet on agent-01" in text
