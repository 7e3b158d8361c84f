"""Knobs of a plan: steps, what is typed, what is wrong with it, and the request that comes of them."""

from __future__ import annotations

from datetime import UTC

import pytest

from engine.errors import UsageError
from engine.execution.foretelling.planner import PlanRequest
from engine.model import LocationSpec, Migration
from xsync_tui.drawing.knobs import NAMES, Draft, cleared, is_auto, knobs, request_of_draft, stepped, typed
from xsync_tui.gallery.planning import NOW, plan_at_ten

BASE = PlanRequest(Migration(LocationSpec("file:///mnt/lab"), LocationSpec("s3://lab/img")), NOW, bandwidth=2.5e9)
PLAN = plan_at_ten()


def _shown(draft: Draft) -> list[str]:
    return [each.value for each in knobs(BASE, draft, PLAN, UTC)]


def test_what_is_not_changed_is_as_the_profile_says_or_as_is_best() -> None:
    assert _shown(Draft()) == ["20 Gbps", "85 %", "4 auto", "even", "now", "-"]
    assert request_of_draft(BASE, Draft()) == BASE


@pytest.mark.parametrize(
    ("name", "more", "less"),
    [
        ("link", "25 Gbps", "15 Gbps"),
        ("use", "90 %", "80 %"),
        ("agents", "5", "3"),
        ("cut", "level 1", "even"),
        ("from", "23:00", "now"),
        ("by", "09:00", "08:00"),
    ],
)
def test_each_knob_turns_both_ways_and_back(name: str, more: str, less: str) -> None:
    at = NAMES.index(name)
    up = stepped(BASE, Draft(), PLAN, name, 1)
    assert _shown(up)[at] == more
    assert _shown(stepped(BASE, Draft(), PLAN, name, -1))[at] == less
    assert not is_auto(up, name)
    assert cleared(up, name) == Draft()


def test_presses_before_the_plan_is_there_count() -> None:
    twice = stepped(BASE, stepped(BASE, Draft(), PLAN, "agents", 1), PLAN, "agents", 1)
    assert request_of_draft(BASE, twice).agents == 6


def test_knobs_end_where_they_make_no_sense() -> None:
    draft = Draft(use=1.0, agents=1, cut=0)
    assert stepped(BASE, draft, PLAN, "use", 1).use == 1.0
    assert stepped(BASE, draft, PLAN, "agents", -1).agents == 1
    assert stepped(BASE, draft, PLAN, "cut", -1).cut == 0


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("link", "40", "40 Gbps"),
        ("link", "500 MB/s", "4 Gbps"),
        ("use", "70 %", "70 %"),
        ("agents", "12", "12"),
        ("cut", "2", "level 2"),
        ("from", "06:00", "06:00"),
        ("by", "06:00", "06:00"),
    ],
)
def test_values_can_be_typed(name: str, text: str, shown: str) -> None:
    assert _shown(typed(BASE, Draft(), name, text, UTC))[NAMES.index(name)] == shown


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", "x", "-1", "1e9", "\x1b[2J"])
def test_what_makes_no_sense_is_refused_with_what_was_expected(name: str, text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        typed(BASE, Draft(), name, text, UTC)


def test_the_request_has_what_was_changed() -> None:
    made = request_of_draft(BASE, Draft(link=5e9, use=0.5, agents=7, cut=2, start=NOW + 3_600))
    assert (made.bandwidth, made.utilisation, made.agents, made.migration.task_level) == (5e9, 0.5, 7, 2)
    assert made.start_at == NOW + 3_600
