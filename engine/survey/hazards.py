"""Looks in a catalog for what needs attention before a migration to a given destination."""

from __future__ import annotations

import os
from typing import Any

from engine.catalog.database import Connection
from engine.locations.mounts import mount_of, read_mounts
from engine.locations.registry import file_path, open_location
from engine.model import LocationSpec
from engine.names import text_of
from engine.survey.columns import PATH
from engine.survey.facts import Hazard
from engine.survey.hazard_rules import Target, entry_rules, folder_rules

EXAMPLES = 5


def target_of(spec: LocationSpec) -> Target:
    """What the destination ``spec`` can hold, as far as that shows without touching it. Raises UsageError."""
    location = open_location(spec)
    try:
        can = location.capabilities
    finally:
        location.close()
    objects = can.transport == "objects"
    folds = not objects and mount_of(os.path.realpath(file_path(spec.url)), read_mounts()).may_fold_names
    return Target(
        spec.url, objects, can.max_key_bytes, can.max_name_bytes, can.max_file_bytes, folds, spec.storage_class
    )


def find_hazards(connection: Connection, target: Target) -> tuple[Hazard, ...]:
    """What was found of each kind; kinds without an entry are left out. Needs the views and ``gather_folders``."""
    rules = entry_rules(target)
    conditions = ", ".join(f"coalesce({rule.where}, false) AS c{number}" for number, rule in enumerate(rules))
    any_of = " OR ".join(f"c{number}" for number in range(len(rules)))
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE odd AS SELECT {PATH} AS path, * EXCLUDE (dir, name) FROM (
            SELECT dir, name, {conditions}
            FROM (SELECT *, contains(name::VARCHAR, '\\x') AS unusual FROM entries)) WHERE {any_of}""")
    queries = [
        *((rule.kind, f"SELECT path FROM odd WHERE c{number}", rule.advice) for number, rule in enumerate(rules)),
        *folder_rules(target),
    ]
    found = [_hazard(connection, *query) for query in queries]
    if target.folds:
        found += _twins(connection, target)
    return tuple(hazard for hazard in found if hazard.count)


def _twins(connection: Connection, target: Target) -> list[Hazard]:
    """Names that are one where case or Unicode form does not count. Hashes first: few of many names have a twin."""
    form = "nfc_normalize(coalesce(TRY(decode(name)), name::VARCHAR))"
    folded = f"CASE WHEN contains(name::VARCHAR, '\\x') THEN lower({form}) ELSE lower(name::VARCHAR) END"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE twins AS
        WITH hashed AS (
            SELECT hash(dir, {folded}) AS twin, dir, name FROM entries WHERE name <> ''::BLOB),
        double AS (SELECT twin FROM hashed GROUP BY twin HAVING count(*) > 1)
        SELECT dir, name, {form} AS form FROM hashed SEMI JOIN double USING (twin)""")
    names = f"""
        SELECT unnest(paths) AS path FROM (
            SELECT list({PATH}) AS paths, count(DISTINCT form) AS forms, count(*) AS names FROM twins GROUP BY dir, """
    maybe = "" if target.url else " where names fold (SMB, macOS, some ext4); S3 and most of Linux hold both"
    advice = f"One of them is copied, the others are reported as failed{maybe}. Rename them."
    return [
        _hazard(connection, "names differ in case alone", f"{names} lower(form)) WHERE forms > 1", advice),
        _hazard(connection, "names differ in Unicode form alone", f"{names} form) WHERE names > 1", advice),
    ]


def _hazard(connection: Connection, kind: str, query: str, advice: str) -> Hazard:
    found: list[Any] = connection.sql(f"SELECT count(*), min(path, {EXAMPLES}) FROM ({query})").fetchall()
    count, examples = found[0]
    return Hazard(kind, count, tuple(map(text_of, examples or ())), advice)
