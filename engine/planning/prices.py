"""The dated price table: the one in the package, and what a user's file changes of it. The only list of prices here."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from engine.decoding import from_builtins
from engine.errors import UsageError

GB = 1_000_000_000

Price = Annotated[float, msgspec.Meta(ge=0)]


class ClassPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a storage class costs, in USD; the fields are explained in prices.toml.

    Requests that change or list cost ``put_per_thousand``, those that read ``get_per_thousand``.
    """

    put_per_thousand: Price
    get_per_thousand: Price
    storage_per_gb_month: tuple[tuple[Price, Price], ...]
    transition_per_thousand: Price = 0.0
    retrieval_per_gb: Price = 0.0
    monitoring_per_thousand_month: Price = 0.0
    minimum_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    overhead_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    index_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    minimum_days: Annotated[int, msgspec.Meta(ge=0)] = 0
    parts_as_standard: bool = False

    def month(self, size: float) -> float:
        """USD a month for ``size`` bytes."""
        left, below, dollars = size / GB, 0.0, 0.0
        for upto, price in self.storage_per_gb_month:
            here = min(left, upto - below)
            dollars += here * price
            left, below = left - here, upto
        return dollars


class KmsPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests to KMS, USD."""

    per_thousand: Price


class EgressPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Out of AWS to the internet, USD a GB."""

    per_gb: Price


class DataSyncPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of both task modes, USD."""

    basic_per_gb: Price
    enhanced_per_gb: Price
    enhanced_per_execution: Price


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All prices in USD, valid on ``date`` in ``region``. ``changed_by``: the user's file, or ``""``."""

    date: str
    region: str
    classes: dict[str, ClassPrices]
    kms: KmsPrices
    egress: EgressPrices
    datasync: DataSyncPrices
    changed_by: str = ""

    def of(self, storage_class: str | None) -> ClassPrices:
        """Those of a class; of STANDARD for None and for classes that have none."""
        return self.classes.get(storage_class or "STANDARD", self.classes["STANDARD"])

    @property
    def basis(self) -> str:
        """What the prices are, in words."""
        changed = f", changed by {self.changed_by}" if self.changed_by else ""
        return f"list prices of {self.region} as of {self.date}{changed}"


def load_prices(path: str | None = None) -> Prices:
    """The shipped table, with what the TOML file at ``path`` changes of it.

    Raises UsageError that names the file, and the key with the nearest valid one.
    """
    if path is None:
        return _shipped()
    try:
        with open(path, "rb") as file:
            changes = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; expected a price table in TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no valid TOML: {error}") from None
    return changed(changes, path)


def changed(changes: Mapping[str, Any], path: str) -> Prices:
    """The shipped table with ``changes``, a table of the same keys, from the file ``path``. Raises UsageError."""
    table = tomllib.loads(_text())
    problems = list(_unknown(changes, table, ""))
    if not problems:
        problems = list(_wrong(_merged(table, changes)))
    if problems:
        lines = [f"{key}: {problem}" for key, problem in problems]
        raise UsageError(f"{path}: {lines[0]}" if len(lines) == 1 else f"{path}:\n  " + "\n  ".join(lines))
    return from_builtins(_merged(table, changes) | {"changed_by": path}, Prices)


@cache
def _shipped() -> Prices:
    return from_builtins(tomllib.loads(_text()), Prices)


def _text() -> str:
    return files("engine.planning").joinpath("prices.toml").read_text("utf-8")


def _merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(table)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _unknown(changes: Mapping[str, Any], table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Keys that the table cannot have; a class may have any key that some class can have."""
    for key, value in changes.items():
        known = set(ClassPrices.__struct_fields__) if prefix.count(".") == 2 else set(table)
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            yield prefix + key, "unknown key" + (f" (did you mean {nearest[0]}?)" if nearest else "")
        elif isinstance(table.get(key), Mapping):
            if isinstance(value, Mapping):
                yield from _unknown(value, table[key], f"{prefix}{key}.")
            else:
                yield prefix + key, f"expected a section [{prefix}{key}]"


_WORDS = {
    "`float`": "a number",
    "`int`": "a whole number",
    "`str`": "text",
    "`array`": "a list",
    "`object`": "a section",
    "`bool`": "true or false",
}


def _wrong(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Values that are no prices; steps of storage that are not in order."""
    for name, each in table["classes"].items():
        try:
            steps = [upto for upto, _ in from_builtins(each, ClassPrices).storage_per_gb_month]
        except msgspec.ValidationError as error:
            yield _explained(error, f"classes.{name}.")
        else:
            if not steps or steps != sorted(set(steps)) or steps[-1] != math.inf:
                yield f"classes.{name}.storage_per_gb_month", "expected rising steps, the last one [inf, price]"
    try:
        from_builtins(dict(table) | {"classes": {}}, Prices)
    except msgspec.ValidationError as error:
        yield _explained(error, "")


def _explained(error: msgspec.ValidationError, prefix: str) -> tuple[str, str]:
    what, _, where = str(error).partition(" - at ")
    for technical, plain in _WORDS.items():
        what = what.replace(technical, plain)
    return prefix + where.strip("`").removeprefix("$."), what[:1].lower() + what[1:]
