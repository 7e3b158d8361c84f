"""Drafts: what typed text means, what is wrong with it, and the profile that comes of it."""

from __future__ import annotations

import msgspec
import pytest

from engine.errors import UsageError
from engine.model import LimitRule
from profiles.schema import Place, TimetableEntry
from xsync_tui.drafting import (
    Draft,
    bucket_typed,
    choose,
    chosen_preset,
    class_of,
    fields,
    presets,
    problem,
    profile_of,
    suggested_name,
    with_bucket,
    with_preset,
)
from xsync_tui.limits_typed import rules, rules_so_far

WEEK = tuple(range(7))
DRAFT = Draft(source="/mnt/lab", destination="s3://lab/img")


def said(step: int, **typed: str) -> str:
    return problem(msgspec.structs.replace(DRAFT, step=step, **typed), ("taken",))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        (" ; ", ()),
        ("2Gbps", (LimitRule(WEEK, 0, 1440, 250_000_000),)),
        ("Mon-Fri 500 Mbit/s", (LimitRule(WEEK[:5], 0, 1440, 62_500_000),)),
        ("22:00-06:00 1MB/s", (LimitRule(WEEK, 1320, 360, 10**6),)),
        (
            "Mon 08:00-18:00 2Gbps; Sat,Sun 5Gbps;",
            (LimitRule((0,), 480, 1080, 250_000_000), LimitRule((5, 6), 0, 1440, 625_000_000)),
        ),
    ],
)
def test_limits_are_read_with_what_is_left_out_filled_in(text: str, found: tuple[LimitRule, ...]) -> None:
    assert rules(text) == rules_so_far(text) == found


def test_limits_that_are_half_typed_are_left_out_until_they_are_whole() -> None:
    whole = rules("Mon 2Gbps")
    for text in (
        "Mon 2Gbps; ",
        "Mon 2Gbps; S",
        "Mon 2Gbps; Sat 08:00-18",
        "Mon 2Gbps; Sat 0Gbps",
        "x; Mon 2Gbps; 08:00-18:00",
    ):
        assert rules_so_far(text) == whole
    with pytest.raises(UsageError, match="has no rate"):
        rules("Mon 2Gbps; Sat")


def test_own_limits_stay_while_others_are_chosen() -> None:
    draft = msgspec.structs.replace(DRAFT, limits="Mon 3Gbps", bandwidth="20Gbps")
    assert [name for name, _ in presets(draft)] == ["none", "office hours", "nights only", "as typed"]
    seen = []
    for _ in range(4):
        draft = with_preset(draft, 1)
        seen.append(draft.limits)
        assert presets(draft)[chosen_preset(draft)][1] == draft.limits
    assert seen == ["", "Mon-Fri 08:00-18:00 10Gbps", "06:00-22:00 1Mbps", "Mon 3Gbps"]
    assert [name for name, _ in presets(DRAFT)] == ["none", "office hours", "nights only"]
    assert with_preset(DRAFT, -1).limits == "06:00-22:00 1Mbps"


@pytest.mark.parametrize(
    ("step", "typed", "words"),
    [
        (1, {"source": " "}, "say where the data is"),
        (1, {"source": "s3://"}, "name a bucket"),
        (1, {"source": "gopher://x"}, "cannot reach gopher://"),
        (1, {"source": "s3://a", "source_endpoint": "localhost:8333"}, "is no endpoint"),
        (2, {"destination": "s3://a", "endpoint": "https://me:key@host"}, "no user or password"),
        (3, {"exclude": "a|b*c"}, "only at its start and end"),
        (3, {"include": "*a"}, "only at its end"),
        (3, {"min_age": "15x"}, "min age: '15x' is not a duration"),
        (3, {"max_size": "big"}, "max size: 'big'"),
        (3, {"min_age": "2d", "max_age": "1d"}, "min age 2d is above max age 1d"),
        (3, {"min_size": "1GB", "max_size": "1MB"}, "min size 1GB is above max size 1MB"),
        (4, {"limits": "Mon-Fry 2Gbps"}, "Mon-Fry"),
        (4, {"bandwidth": "20"}, "is not a rate"),
        (4, {"agents": "0"}, "no number of agents"),
        (4, {"agents": "1001"}, "no number of agents"),
        (5, {"name": "a/b"}, "cannot name a profile"),
        (5, {"name": "taken"}, "there is a profile taken already"),
        (5, {"limits": "x"}, "has no rate"),
    ],
)
def test_what_is_wrong_is_said(step: int, typed: dict[str, str], words: str) -> None:
    assert words in said(step, **typed)


def test_nothing_is_wrong() -> None:
    assert [said(step) for step in range(1, 6)] == [""] * 5
    assert said(4, agents="Auto") == said(4, agents="64") == said(2, destination="/mnt/new") == ""


def test_the_profile_holds_what_was_said_and_no_more() -> None:
    profile = profile_of(DRAFT)
    assert (profile.name, profile.source, profile.destination) == ("lab", Place("/mnt/lab"), Place("s3://lab/img"))
    assert (profile.agents, profile.filters.exclude, profile.network.timetable) == (None, (), ())
    full = msgspec.structs.replace(
        DRAFT,
        endpoint="http://s3:8333",
        region="eu",
        aws_profile="lab",
        exclude="*.tmp|/scratch",
        include="/2024",
        min_age=" 15m",
        max_size="100GB",
        storage_class="GLACIER_IR",
        limits="Sat 5Gbps",
        agents="12",
        bandwidth="20Gbps",
        name="mine",
    )
    profile = profile_of(full)
    assert profile.destination == Place("s3://lab/img", "eu", "http://s3:8333", "lab", "GLACIER_IR")
    assert (profile.name, profile.agents) == ("mine", 12)
    assert (profile.filters.include, profile.filters.exclude) == (("/2024",), ("*.tmp", "/scratch"))
    filters = profile.filters
    assert (filters.min_age, filters.max_age, filters.min_size, filters.max_size) == ("15m", None, None, "100GB")
    assert profile.network.timetable == (TimetableEntry("Sat", "00:00-24:00", "5Gbps"),)
    assert profile.network.bandwidth == "20Gbps"


def test_how_to_reach_a_bucket_is_asked_of_buckets_alone() -> None:
    def asked(**typed: str) -> list[str]:
        return [field.key for field in fields(msgspec.structs.replace(DRAFT, step=2, **typed))]

    assert asked() == ["destination", "endpoint", "region", "aws_profile", "storage_class", "canary"]
    assert asked(destination="/mnt/new") == ["destination", "canary"]
    # What was typed for a bucket does not reach the profile of a folder.
    assert profile_of(msgspec.structs.replace(DRAFT, destination="/new", endpoint="http://x")).destination == Place(
        "/new"
    )


def test_a_storage_class_is_chosen_in_turn_and_the_usual_one_is_not_written() -> None:
    seen, draft = [], DRAFT
    for _ in range(7):
        draft = choose(draft, "storage_class", 1)
        seen.append(draft.storage_class)
    assert seen[:2] == ["INTELLIGENT_TIERING", "STANDARD_IA"]
    assert seen[-2:] == ["DEEP_ARCHIVE", ""]
    assert choose(DRAFT, "storage_class", -1).storage_class == "DEEP_ARCHIVE"
    assert class_of(draft).small_bytes == 0
    cold = msgspec.structs.replace(DRAFT, storage_class="STANDARD_IA")
    assert class_of(cold).small_bytes == 128 << 10
    folder = msgspec.structs.replace(cold, destination="/mnt/new")
    assert class_of(folder).small_bytes == 0
    assert profile_of(folder).destination == Place("/mnt/new")
    other = msgspec.structs.replace(DRAFT, storage_class="COLD_OF_OURS")
    assert choose(other, "storage_class", 1).storage_class == ""


@pytest.mark.parametrize(
    ("typed", "part", "taken"),
    [
        ("", "", "s3://lab"),
        ("s3://l", "l", "s3://lab"),
        ("s3://x/a/b", "x", "s3://lab/a/b"),
        ("s3", "s3", "s3://lab"),
    ],
)
def test_a_bucket_of_a_list_takes_the_place_of_what_was_typed(typed: str, part: str, taken: str) -> None:
    assert bucket_typed(typed) == part
    assert with_bucket(typed, "lab") == taken


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/mnt/lab images", "lab-images"),
        ("s3://bucket/a.b/", "a.b"),
        ("s3://bucket", "bucket"),
        ("/", "migration"),
        ("/é", "migration"),
    ],
)
def test_a_name_is_suggested(source: str, name: str) -> None:
    assert suggested_name(Draft(source=source)) == name
