"""Checks a migration before anything moves: both sides, the way between, credentials, this host."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.errors import LocationError, RefusedError
from engine.execution.checking.destinations import check_destination
from engine.execution.checking.findings import Expected, Finding, failure
from engine.execution.checking.host import check_host
from engine.execution.checking.network import check_credentials, check_endpoint
from engine.execution.checking.sources import check_source
from engine.execution.vanished import refuse_vanished
from engine.home import Home
from engine.locations.registry import open_location
from engine.model import LocationSpec, Migration
from engine.survey.report import latest_survey


def check(migration: Migration, home: Home) -> Iterator[Finding]:
    """Findings as they are made. What is written to the destination for them is removed again; the source is read."""
    expected = _expected(migration, home)
    seconds = expected.seconds if expected else None
    for about, spec in (("source", migration.source), ("destination", migration.destination)):
        try:
            location = open_location(spec)
        except LocationError as error:
            yield failure(about, str(error), "")
            continue
        try:
            refuse_vanished(about, spec, location)
            if location.capabilities.scheme == "s3":
                yield check_credentials(spec, seconds, time.time())
                yield from check_endpoint(location)
            if about == "source":
                yield from check_source(location, migration.filters)
            else:
                yield from check_destination(location, migration, expected)
        except RefusedError as error:
            yield failure(about, str(error), "")
        finally:
            location.close()
    yield from check_host(home, migration.agents, expected)


def _expected(migration: Migration, home: Home) -> Expected | None:
    """What the latest survey of the source counted, without its filters."""
    survey = latest_survey(home.surveys, identity) if (identity := _identity(migration.source)) else None
    return None if survey is None or survey.partial else Expected(survey.files, survey.bytes)


def _identity(spec: LocationSpec) -> str | None:
    try:
        location = open_location(spec)
        try:
            return location.identity()
        finally:
            location.close()
    except LocationError:
        return None
