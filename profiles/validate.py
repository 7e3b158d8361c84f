"""Checks a parsed TOML table against the schema and finds all that is wrong with it at once.

Every problem names the dotted key, what was expected and what was found; a value under a key that may hold a secret,
or with a password in it, is never repeated.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit

import msgspec

from engine import quantities
from engine.decoding import from_builtins
from engine.errors import ProfileError, UsageError
from engine.filters import parse_pattern, split_patterns
from engine.recurrence import Recurrence, every
from profiles.schema import FilterSection, Place, Profile

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
"""What a profile may be called: it becomes a file name."""

_SECRET_KEY = re.compile(r"secret|passw|passphrase|token|credential|access_?key|private_?key|api_?key", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]+)`(?:, got `(?P<got>[^`]+)`)?(?P<rest>.*)", re.DOTALL)
_TYPE_NAMES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a section",
    "datetime": "a date and time",
    "null": "nothing",
}
_UNSUPPORTED = {
    "uid": {"NAME", "BOTH"},
    "gid": {"NAME", "BOTH"},
    "task_queueing": {"ENABLED"},
    "log_level": {"OFF", "BASIC", "TRANSFER"},
    "security_descriptor_copy_flags": {"OWNER_DACL", "OWNER_DACL_SACL"},
}

Problem = tuple[str, str]
"""A dotted key, and what is wrong with it."""


def validate(table: Mapping[str, Any], origin: str) -> Profile:
    """The profile in a parsed TOML ``table``; raises ProfileError with every problem, after ``origin`` (its file)."""
    problems = [*_secrets(table, ""), *wrong_types(Profile, table, "")]
    if not problems:
        profile = from_builtins(table, Profile)
        problems = list(_wrong_values(profile))
        if not problems:
            return profile
    lines = [f"{key}: {problem}" for key, problem in dict.fromkeys(problems)]
    separator = ": " if len(lines) == 1 else ":\n  "
    raise ProfileError(origin + separator + "\n  ".join(lines))


def _secrets(table: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    for key, value in table.items():
        if _SECRET_KEY.search(key):
            yield prefix + key, "secrets do not belong in a profile: use the environment, or aws_profile"
        elif isinstance(value, Mapping):
            yield from _secrets(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield from _secrets(item, f"{prefix}{key}[{index}].")
        elif isinstance(value, str) and _has_userinfo(value):
            yield prefix + key, "a URL with a user or password in it: use the environment, or aws_profile"


def _has_userinfo(value: str) -> bool:
    try:
        return "://" in value and "@" in urlsplit(value).netloc
    except ValueError:
        return False


def wrong_types(
    struct: type[msgspec.Struct], table: Mapping[str, Any], prefix: str, elsewhere: Mapping[str, str] | None = None
) -> Iterator[Problem]:
    """Unknown and missing keys and wrong types of one section and of those in it.

    ``elsewhere``: where each key of the whole file belongs, for those in a wrong section; that of ``struct`` if absent.
    """
    elsewhere = _places(struct) if elsewhere is None else elsewhere
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for key, value in table.items():
        if key in fields:
            yield from _wrong_type(fields[key].type, value, prefix + key, elsewhere)
        elif not _SECRET_KEY.search(key):
            yield prefix + key, "unknown key" + (_nearest(key, fields) or _nearest_of(key, elsewhere))
    for key, field in fields.items():
        if field.required and key not in table:
            yield prefix + key, "missing"


def _places(struct: type[msgspec.Struct], section: str = "") -> dict[str, str]:
    """Where each key belongs, in words; of equal ones the first, those at the top before all."""
    places: dict[str, str] = {}
    inner: dict[str, str] = {}
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            inner = _places(field.type, field.encode_name) | inner
        elif section:
            places[field.encode_name] = f"{section}.{field.encode_name}"
        else:
            places[field.encode_name] = f"{field.encode_name}, above the first section"
    return inner | places


def _wrong_type(kind: Any, value: Any, key: str, elsewhere: Mapping[str, str]) -> Iterator[Problem]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if isinstance(value, Mapping):
            yield from wrong_types(kind, value, f"{key}.", elsewhere)
        else:
            yield key, f"expected a section [{key}], got {_shown(value)}"
        return
    item = get_args(kind)[0] if get_origin(kind) is tuple else None
    if isinstance(item, type) and issubclass(item, msgspec.Struct) and isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _wrong_type(item, entry, f"{key}[{index}]", elsewhere)
        return
    if isinstance(value, list) and (choices := _choices(item)):
        for index, entry in enumerate(value):
            if entry not in choices:
                yield from _wrong_type(item, entry, f"{key}[{index}]", elsewhere)
        return
    allowed = _choices(kind)
    if allowed and value not in allowed:
        yield key, f"expected {' or '.join(map(str, allowed))}, got {_shown(value)}{_nearest(str(value), allowed)}"
        return
    try:
        from_builtins(value, kind)
    except msgspec.ValidationError as error:
        yield _explained(str(error), key, value)


def _choices(kind: Any) -> tuple[Any, ...]:
    """The values of a Literal, or of an optional one."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(choice for part in get_args(kind) for choice in _choices(part))
    return ()


def _explained(message: str, key: str, value: Any) -> Problem:
    """msgspec's message in the words of a profile."""
    said, _, where = message.partition(" - at `$")
    where = where.removesuffix("`")
    match = _EXPECTED.fullmatch(said)
    if match is None:
        return key + where, said
    names = [_TYPE_NAMES.get(name, name) for name in match["expected"].split(" | ") if name != "null"]
    got = _TYPE_NAMES.get(match["got"] or "", "") if where else _shown(value)
    return key + where, f"expected {' or '.join(names)}{match['rest']}" + (f", got {got}" if got else "")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str | int | float) else str(value)


def _nearest(word: str, words: Iterable[Any]) -> str:
    """The one of ``words`` that is most like ``word``, as a question; empty if none is."""
    return _nearest_of(word, {str(known): str(known) for known in words})


def _nearest_of(word: str, meanings: Mapping[str, str]) -> str:
    by_lower = {known.lower(): meaning for known, meaning in meanings.items()}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[found[0]]}?)" if found else ""


def _wrong_values(profile: Profile) -> Iterator[Problem]:
    """What is well-formed TOML of the right types and still means nothing, or nothing yet."""
    if not NAME.fullmatch(profile.name):
        yield "name", f"expected letters, digits, dot, dash and underscore (at most 100), got {profile.name!r}"
    for section, place in (("source", profile.source), ("destination", profile.destination)):
        if not place.url:
            yield f"{section}.url", "expected a location such as file:///mnt/lab or s3://bucket/prefix"
        yield from _of_buckets_alone(section, place)
        if place.kms_key_id is not None and (place.sse or "") == "AES256":
            yield f"{section}.kms_key_id", 'a key of KMS needs sse = "aws:kms" or "aws:kms:dsse"'
    if profile.source.interfaces:
        yield "source.interfaces", "only a bucket that is written to is reached through interfaces: [destination]"
    yield from _wrong_patterns(profile)
    yield from _unsupported(profile)
    for key, text, parse in _quantities(profile):
        try:
            parse(text)
        except UsageError as error:
            yield key, str(error)
    yield from _empty_ranges(profile.filters)
    yield from _wrong_notices(profile)
    if profile.schedule.cron is not None and profile.schedule.every is not None:
        yield "schedule.every", "cron says when already: one of them"


_BUCKET_KEYS = ("storage_class", "sse", "kms_key_id", "bucket_owner")


def _of_buckets_alone(section: str, place: Place) -> Iterator[Problem]:
    """What a folder cannot keep: left in silence it would be taken for done."""
    if "://" in place.url and not place.url.lower().startswith("file://"):
        return
    for key in _BUCKET_KEYS:
        if getattr(place, key) is not None:
            yield f"{section}.{key}", f"only a bucket has one, and {place.url} is a folder: leave it out"


def _wrong_notices(profile: Profile) -> Iterator[Problem]:
    notify = profile.notify
    if notify.webhook_variable is not None and not _VARIABLE.fullmatch(notify.webhook_variable):
        # It may be the URL itself, which often is a secret: not repeated.
        yield "notify.webhook_variable", "expected the name of an environment variable that holds the URL"
    if notify.command and not notify.command[0]:
        yield "notify.command[0]", "expected a program"
    if not notify.on:
        yield "notify.on", "expected at least one of end, failure, stall"
    if profile.metrics_file == "":
        yield "metrics_file", "expected the path of a file, such as /var/lib/node_exporter/xsync.prom"


def _empty_ranges(filters: FilterSection) -> Iterator[Problem]:
    """Ages and sizes between which no file can lie; what is no quantity at all is said elsewhere."""
    for what, least, most, parse in (
        ("age", filters.min_age, filters.max_age, quantities.parse_duration),
        ("size", filters.min_size, filters.max_size, quantities.parse_bytes),
    ):
        with suppress(UsageError):
            if least is not None and most is not None and parse(least) > parse(most):
                yield f"filters.min_{what}", f"{least!r} is above max_{what} {most!r}: no file would be copied"


def _wrong_patterns(profile: Profile) -> Iterator[Problem]:
    filters = profile.filters
    for rule, texts in (("include", filters.include), ("exclude", filters.exclude)):
        for index, text in enumerate(texts):
            try:
                for pattern in split_patterns(text):
                    parse_pattern(pattern, "include" if rule == "include" else "exclude")
            except UsageError as error:
                yield f"filters.{rule}[{index}]", str(error)


def _unsupported(profile: Profile) -> Iterator[Problem]:
    for option, values in _UNSUPPORTED.items():
        value = getattr(profile.options, option)
        if value in values:
            yield f"options.{option}", f"{value} is not available yet in this version of xsync"
    if (profile.options.transfer_mode, profile.options.preserve_deleted_files) == ("ALL", "REMOVE"):
        yield "options.preserve_deleted_files", "REMOVE is not possible with transfer_mode ALL, as in DataSync"
    if profile.options.bytes_per_second == 0:
        yield "options.bytes_per_second", "expected -1 for no limit, or bytes a second above zero, got 0"


def _quantities(profile: Profile) -> Iterator[tuple[str, str, Callable[[str], object]]]:
    network = profile.network
    optional: list[tuple[str, str | None, Callable[[str], object]]] = [
        ("network.bandwidth", network.bandwidth, quantities.parse_rate),
        ("network.per_agent", network.per_agent, quantities.parse_rate),
        ("cutover.window", profile.cutover.window, quantities.parse_duration),
        ("schedule.cron", profile.schedule.cron, Recurrence),
        ("schedule.every", profile.schedule.every, every),
        ("filters.min_age", profile.filters.min_age, quantities.parse_duration),
        ("filters.max_age", profile.filters.max_age, quantities.parse_duration),
        ("filters.min_size", profile.filters.min_size, quantities.parse_bytes),
        ("filters.max_size", profile.filters.max_size, quantities.parse_bytes),
    ]
    yield from ((key, text, parse) for key, text, parse in optional if text is not None)
    for index, entry in enumerate(network.timetable):
        yield f"network.timetable[{index}].days", entry.days, quantities.parse_days
        yield f"network.timetable[{index}].hours", entry.hours, quantities.parse_hours
        yield f"network.timetable[{index}].limit", entry.limit, quantities.parse_rate
