"""Makes of a profile what an execution needs to know."""

from __future__ import annotations

import os
from typing import Any

from engine.decoding import from_builtins
from engine.filters import split_patterns
from engine.model import FilterSpec, LimitRule, LocationSpec, Migration, Notify, TransferOptions
from engine.quantities import parse_bytes, parse_days, parse_duration, parse_hours, parse_rate
from profiles.schema import FilterSection, NotifySection, OptionSection, Place, Profile, TimetableEntry


def to_migration(profile: Profile) -> Migration:
    """The migration a validated ``profile`` describes; a relative manifest path is taken from the current folder."""
    agents: dict[str, Any] = {} if profile.agents is None else {"agents": profile.agents}
    return Migration(
        source=_location(profile.source),
        destination=_location(profile.destination),
        name=profile.name,
        filters=_filters(profile.filters),
        options=_options(profile.options),
        limits=tuple(_rule(entry) for entry in profile.network.timetable),
        notify=_notify(profile.notify),
        metrics_file=None if profile.metrics_file is None else os.path.abspath(profile.metrics_file),
        task_level=profile.tasks.level,
        **agents,
    )


def _notify(section: NotifySection) -> Notify | None:
    if not section.command and section.webhook_variable is None:
        return None
    return Notify(section.command, section.webhook_variable, section.on)


def _location(place: Place) -> LocationSpec:
    return LocationSpec(**{field: getattr(place, field) for field in LocationSpec.__struct_fields__})


def _filters(section: FilterSection) -> FilterSpec:
    return FilterSpec(
        include=tuple(pattern for text in section.include for pattern in split_patterns(text)),
        exclude=tuple(pattern for text in section.exclude for pattern in split_patterns(text)),
        manifest=None if section.manifest is None else os.path.abspath(section.manifest),
        min_age_seconds=None if section.min_age is None else parse_duration(section.min_age),
        max_age_seconds=None if section.max_age is None else parse_duration(section.max_age),
        min_size_bytes=None if section.min_size is None else parse_bytes(section.min_size),
        max_size_bytes=None if section.max_size is None else parse_bytes(section.max_size),
    )


def _rule(entry: TimetableEntry) -> LimitRule:
    hours = parse_hours(entry.hours)
    return LimitRule(parse_days(entry.days), hours.start, hours.end, parse_rate(entry.limit))


def _options(section: OptionSection) -> TransferOptions:
    said: dict[str, Any] = {
        field: value for field in TransferOptions.__struct_fields__ if (value := getattr(section, field)) is not None
    }
    return from_builtins(said, TransferOptions)
