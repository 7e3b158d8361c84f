"""Makes of a profile what an execution needs to know."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from engine.errors import ProfileError
from engine.filters import split_patterns
from engine.model import FilterSpec, LocationSpec, Migration, TransferOptions
from profiles.schema import FilterSection, OptionSection, Place, Profile


def to_migration(profile: Profile) -> Migration:
    """The migration a validated ``profile`` describes; a relative manifest path is taken from the current folder.

    Raises ProfileError for a timetable: its limits are not kept yet, and a link must not be flooded in silence.
    """
    if profile.network.timetable:
        raise ProfileError(f"profile {profile.name}: network.timetable: not available yet in this version of xsync")
    agents = {} if profile.agents is None else {"agents": profile.agents}
    return Migration(
        source=_location(profile.source),
        destination=_location(profile.destination),
        name=profile.name,
        filters=_filters(profile.filters),
        options=_options(profile.options),
        **agents,
    )


def _location(place: Place) -> LocationSpec:
    return LocationSpec(**{field: getattr(place, field) for field in LocationSpec.__struct_fields__})


def _filters(section: FilterSection) -> FilterSpec:
    return FilterSpec(
        include=tuple(pattern for text in section.include for pattern in split_patterns(text)),
        exclude=tuple(pattern for text in section.exclude for pattern in split_patterns(text)),
        manifest=None if section.manifest is None else os.path.abspath(section.manifest),
    )


def _options(section: OptionSection) -> TransferOptions:
    said: dict[str, Any] = {
        field: value for field in TransferOptions.__struct_fields__ if (value := getattr(section, field)) is not None
    }
    return msgspec.convert(said, TransferOptions)
