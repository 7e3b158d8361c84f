"""A migration that is still being described: what was typed for each step, what is wrong with it, the profile of it.

Everything stays as it was typed, wrong or not, so that nothing is lost. Pure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from engine.errors import ProfileError, UsageError
from engine.filters import Rule, parse_pattern, split_patterns
from engine.locations.registry import bucket_and_prefix, scheme_of
from engine.locations.storage_classes import STORAGE_CLASSES, StorageClass, storage_class
from engine.model import FilterSpec, LocationSpec
from engine.quantities import parse_bytes, parse_duration, parse_rate
from profiles.schema import Profile
from profiles.validate import NAME, validate
from xsync_tui.limits_typed import entries, rules

STEPS = ("source", "destination", "leave out", "limits", "name")

MOST_AGENTS = 1_000


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was typed. ``id`` names its file; ``step``: 1 to 5, where its writer is; ``saved_at``: Unix time.

    ``own_limits``: those that were typed before one of ours was chosen instead.
    """

    id: str = ""
    step: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    source: str = ""
    source_endpoint: str = ""
    source_region: str = ""
    source_profile: str = ""
    destination: str = ""
    endpoint: str = ""
    region: str = ""
    aws_profile: str = ""
    storage_class: str = ""
    include: str = ""
    exclude: str = ""
    min_age: str = ""
    max_age: str = ""
    min_size: str = ""
    max_size: str = ""
    limits: str = ""
    own_limits: str = ""
    agents: str = ""
    bandwidth: str = ""
    name: str = ""
    saved_at: float = 0.0


class Field(NamedTuple):
    """Something to answer. ``key``: of Draft; ``empty``: what nothing typed means. ``act``: enter does something."""

    key: str
    label: str
    empty: str = ""
    choices: tuple[str, ...] = ()
    act: bool = False


_CLASSES = tuple(each.name for each in STORAGE_CLASSES)

_REACH = (
    ("endpoint", "URL of an S3 server that is not AWS"),
    ("region", "as AWS_REGION or ~/.aws/config say"),
    ("profile", "of ~/.aws/config; else the environment or this host's role"),
)


def fields(draft: Draft) -> tuple[Field, ...]:
    """What its step asks; how to reach a bucket only where there is one."""
    match draft.step:
        case 1:
            return (
                Field("source", "from", "/mnt/data or s3://bucket/prefix"),
                *_reach(draft.source, ("source_endpoint", "source_region", "source_profile")),
            )
        case 2:
            return (
                Field("destination", "to", "s3://bucket/prefix or /mnt/new"),
                *_reach(draft.destination, ("endpoint", "region", "aws_profile")),
                *([Field("storage_class", "class", choices=_CLASSES)] if is_bucket(draft.destination) else []),
                Field("canary", "canary", act=True),
            )
        case 3:
            return (
                Field("exclude", "leave out", "nothing; *.tmp|/scratch is what ends in .tmp, and /scratch"),
                Field("include", "only", "no, all; /2024|/2025 is only these two folders"),
                Field("min_age", "min age", "any; 15m leaves out files modified in the last 15 minutes"),
                Field("max_age", "max age", "any; 365d leaves out files not modified for a year"),
                Field("min_size", "min size", "any; 1KiB leaves out smaller files"),
                Field("max_size", "max size", "any; 100GB leaves out larger files"),
            )
        case 4:
            return (
                Field("limits", "limits", "none; such as Mon-Fri 08:00-18:00 2Gbps; Sat,Sun 5Gbps"),
                Field("preset", "or one of", choices=tuple(name for name, _ in presets(draft))),
                Field("agents", "agents", "auto: what the plan finds best; R on Home: 2"),
                Field("bandwidth", "link", "what it carries, such as 20Gbps, if you know"),
            )
        case _:
            return (Field("name", "name", suggested_name(draft)),)


def is_bucket(url: str) -> bool:
    """Whether a location that was typed is in a bucket."""
    return url.strip().lower().startswith("s3://")


def _reach(url: str, keys: tuple[str, str, str]) -> list[Field]:
    if not is_bucket(url):
        return []
    return [Field(key, label, empty) for key, (label, empty) in zip(keys, _REACH, strict=True)]


# What is wrong.


def problem(draft: Draft, names: Iterable[str] = ()) -> str:
    """Why its step is not answered, with what to do; empty if it is. ``names``: of saved profiles."""
    checks: dict[int, Callable[[], None]] = {
        1: lambda: _check_place(draft.source, source_of(draft), "where the data is"),
        2: lambda: _check_place(draft.destination, destination_of(draft), "where the data is to go"),
        3: lambda: _check_filters(draft),
        4: lambda: _check_limits(draft),
        5: lambda: _check_name(draft, names),
    }
    try:
        checks[draft.step]()
    except (UsageError, ProfileError) as error:
        return str(error)
    return ""


def _check_place(text: str, spec: LocationSpec, what: str) -> None:
    if not text.strip():
        raise UsageError(f"say {what}: a folder such as /mnt/data, or s3://bucket/prefix")
    if has_password(text) or has_password(spec.endpoint_url or ""):
        raise UsageError("no user or password in a URL: credentials come from the environment or an AWS profile")
    if scheme_of(spec.url) == "s3":
        bucket_and_prefix(spec.url)
    if spec.endpoint_url and urlsplit(spec.endpoint_url).scheme not in ("http", "https"):
        raise UsageError(f"{spec.endpoint_url!r} is no endpoint: expected a URL such as https://s3.example.com")


def has_password(text: str) -> bool:
    """Whether a URL holds a user or password."""
    try:
        return "://" in text and "@" in urlsplit(text.strip()).netloc
    except ValueError:
        return True


def _check_filters(draft: Draft) -> None:
    sides: tuple[tuple[str, Rule], ...] = ((draft.exclude, "exclude"), (draft.include, "include"))
    for text, rule in sides:
        for pattern in patterns(text):
            parse_pattern(pattern, rule)
    found = filters_of(draft)
    for what, least, most, texts in (
        ("age", found.min_age_seconds, found.max_age_seconds, (draft.min_age, draft.max_age)),
        ("size", found.min_size_bytes, found.max_size_bytes, (draft.min_size, draft.max_size)),
    ):
        if least is not None and most is not None and least > most:
            raise UsageError(f"min {what} {texts[0]} is above max {what} {texts[1]}: no file would be copied")


def _check_limits(draft: Draft) -> None:
    rules(draft.limits)
    if draft.bandwidth.strip():
        parse_rate(draft.bandwidth)
    if draft.agents.strip() and not (_is_auto(draft) or (draft.agents.strip().isdecimal() and _agents(draft))):
        raise UsageError(f"{draft.agents!r} is no number of agents: expected auto, or 1 to {MOST_AGENTS:,}")


def _check_name(draft: Draft, names: Iterable[str]) -> None:
    name = name_of(draft)
    if not NAME.fullmatch(name) or name.endswith(".toml"):
        raise UsageError(f"{name!r} cannot name a profile: letters, digits, dot, dash, underscore; not ending in .toml")
    if name in set(names):
        raise UsageError(f"there is a profile {name} already: choose another name")
    profile_of(draft)


# What it means.


def location(text: str) -> str:
    """A location as it was meant: ``~`` and relative paths made whole."""
    text = text.strip()
    return text if "://" in text or not text else os.path.abspath(os.path.expanduser(text))


def source_of(draft: Draft) -> LocationSpec:
    """Where the data is."""
    return _spec(draft.source, draft.source_endpoint, draft.source_region, draft.source_profile)


def destination_of(draft: Draft) -> LocationSpec:
    """Where it goes."""
    kept_as = draft.storage_class.strip()
    return _spec(draft.destination, draft.endpoint, draft.region, draft.aws_profile, kept_as)


def buckets_of(draft: Draft) -> LocationSpec:
    """How to ask for the buckets that its step could be about."""
    reach = (draft.source_endpoint, draft.source_region, draft.source_profile)
    return _spec("s3://-", *(reach if draft.step == 1 else (draft.endpoint, draft.region, draft.aws_profile)))


def _spec(url: str, endpoint: str, region: str, aws_profile: str, kept_as: str = "") -> LocationSpec:
    url = location(url)
    if not is_bucket(url):
        return LocationSpec(url)
    return LocationSpec(
        url, region.strip() or None, endpoint.strip() or None, aws_profile.strip() or None, kept_as or None
    )


def bucket_typed(text: str) -> str:
    """What stands where the name of a bucket is typed."""
    return text.strip().removeprefix("s3://").partition("/")[0]


def with_bucket(text: str, name: str) -> str:
    """A location with that bucket, and the prefix that was typed."""
    _, slash, prefix = text.strip().removeprefix("s3://").partition("/") if is_bucket(text) else ("", "", "")
    return f"s3://{name}{slash}{prefix}"


def patterns(text: str) -> tuple[str, ...]:
    """The patterns of what was typed."""
    return split_patterns(text.strip()) if text.strip() else ()


def filters_of(draft: Draft) -> FilterSpec:
    """What is to be copied, as a run would be told. Raises UsageError."""

    def parsed(text: str, label: str, parse: Callable[[str], int]) -> int | None:
        try:
            return parse(text) if text.strip() else None
        except UsageError as error:
            raise UsageError(f"{label}: {error}") from None

    return FilterSpec(
        include=patterns(draft.include),
        exclude=patterns(draft.exclude),
        min_age_seconds=parsed(draft.min_age, "min age", parse_duration),
        max_age_seconds=parsed(draft.max_age, "max age", parse_duration),
        min_size_bytes=parsed(draft.min_size, "min size", parse_bytes),
        max_size_bytes=parsed(draft.max_size, "max size", parse_bytes),
    )


def filter_texts(draft: Draft) -> tuple[str, ...]:
    """All that filters, as it was typed."""
    texts = (draft.include, draft.exclude, draft.min_age, draft.max_age, draft.min_size, draft.max_size)
    return tuple(text.strip() for text in texts)


def class_of(draft: Draft) -> StorageClass:
    """The storage class of what is written; the usual one for folders, too."""
    return storage_class(draft.storage_class if is_bucket(draft.destination) else "")


def choose(draft: Draft, key: str, step: int) -> Draft:
    """With the next or the last of what a field offers."""
    if key == "preset":
        return with_preset(draft, step)
    at = _CLASSES.index(class_of(draft).name) + step if class_of(draft).name in _CLASSES else 0
    name = _CLASSES[at % len(_CLASSES)]
    return msgspec.structs.replace(draft, storage_class="" if name == _CLASSES[0] else name)


def presets(draft: Draft) -> tuple[tuple[str, str], ...]:
    """Names and texts of timetables: office hours leave half of the link, nights are all but free of others."""
    half = "1Gbps"
    try:
        bits = parse_rate(draft.bandwidth) * 4
        half = f"{bits / 1e9:g}Gbps" if bits >= 10**9 else f"{bits / 1e6:g}Mbps"
    except UsageError:
        pass
    ours = (
        ("none", ""),
        ("office hours", f"Mon-Fri 08:00-18:00 {half}"),
        ("nights only", "06:00-22:00 1Mbps"),
    )
    texts = [text for _, text in ours]
    own = draft.limits if draft.limits.strip() not in texts else draft.own_limits
    return (*ours, ("as typed", own)) if own and own not in texts else ours


def with_preset(draft: Draft, step: int) -> Draft:
    """With the next or the last of the timetables there are; what was typed stays one of them."""
    offered = presets(draft)
    own = offered[-1][1] if offered[-1][0] == "as typed" else ""
    limits = offered[(chosen_preset(draft) + step) % len(offered)][1]
    return msgspec.structs.replace(draft, limits=limits, own_limits=own)


def chosen_preset(draft: Draft) -> int:
    """Which of them its limits are."""
    return next((n for n, (_, text) in enumerate(presets(draft)) if text.strip() == draft.limits.strip()), 0)


def suggested_name(draft: Draft) -> str:
    """A name made of the last part of the source."""
    last = location(draft.source).rstrip("/").rpartition("/")[2]
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")
    return safe[:40].removesuffix(".toml") or "migration"


def name_of(draft: Draft) -> str:
    """What was typed, else what is suggested."""
    return draft.name.strip() or suggested_name(draft)


def profile_of(draft: Draft) -> Profile:
    """The profile that would be saved. Raises ProfileError, UsageError."""
    network: dict[str, Any] = {"timetable": entries(draft.limits)} if draft.limits.strip(" ;") else {}
    if draft.bandwidth.strip():
        network["bandwidth"] = draft.bandwidth.strip()
    filters: dict[str, Any] = {"include": list(patterns(draft.include)), "exclude": list(patterns(draft.exclude))}
    filters |= {key: getattr(draft, key).strip() for key in ("min_age", "max_age", "min_size", "max_size")}
    table: dict[str, Any] = {
        "schema": 1,
        "name": name_of(draft),
        "source": _place(source_of(draft)),
        "destination": _place(destination_of(draft)),
    }
    sections = {"filters": {key: value for key, value in filters.items() if value}, "network": network}
    table |= {key: section for key, section in sections.items() if section}
    if not _is_auto(draft):
        table["agents"] = _agents(draft)
    return validate(table, "this migration")


def _place(spec: LocationSpec) -> dict[str, str]:
    keys = ("url", "region", "endpoint_url", "aws_profile", "storage_class")
    return {key: value for key in keys if (value := getattr(spec, key))}


def _is_auto(draft: Draft) -> bool:
    return draft.agents.strip().lower() in ("", "auto")


def _agents(draft: Draft) -> int:
    """The number, 0 for one that is out of range."""
    number = int(draft.agents.strip())
    return number if number <= MOST_AGENTS else 0
