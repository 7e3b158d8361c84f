"""What a run costs at an object store, and what its result costs a month, line by line, in USD. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from engine.planning.prices import GB, ClassPrices, Prices
from engine.planning.requests import pages, unit_price, uploads
from engine.planning.values import Dataset

NOTHING = Dataset(0, 0)


class Line(msgspec.Struct, frozen=True):
    """``count`` of ``unit`` at ``unit_price`` USD each are ``dollars``."""

    what: str
    count: float
    unit: str
    unit_price: float
    dollars: float


Row = tuple[str, float, str, float]
"""What, count, unit, unit price."""


class Bill(msgspec.Struct, frozen=True):
    """Lines, their sum in USD, and what they rest on: region and date of the table, and what it does not know."""

    lines: tuple[Line, ...]
    dollars: float
    basis: str
    notes: tuple[str, ...] = ()

    def plus(self, other: Bill) -> Bill:
        """Both, with lines of the same name and price as one."""
        counts: dict[tuple[str, str, float], float] = {}
        for line in (*self.lines, *other.lines):
            key = line.what, line.unit, line.unit_price
            counts[key] = counts.get(key, 0.0) + line.count
        rows = [(what, count, unit, price) for (what, unit, price), count in counts.items()]
        return bill(rows, self.basis, tuple(dict.fromkeys((*self.notes, *other.notes))))

    def times(self, count: int) -> Bill:
        """It so often."""
        rows = [(each.what, each.count * count, each.unit, each.unit_price) for each in self.lines]
        return bill(rows, self.basis, self.notes)


def bill(rows: Iterable[Row], basis: str, notes: tuple[str, ...] = ()) -> Bill:
    """A bill of ``rows``, those that count nothing left out."""
    lines = [Line(what, count, unit, price, count * price) for what, count, unit, price in rows if count > 0]
    return Bill(tuple(lines), sum(line.dollars for line in lines), basis, notes)


class RunWork(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run does with S3 at either end. ``dataset``: what it transfers, not what it skips.

    ``listed_source``, ``listed_destination``: entries that are listed in a bucket, 0 where none is. ``heads``: objects
    asked for one by one (adoption, NEWER, verification of what others wrote). ``metadata_changes``: objects copied onto
    themselves. ``kms``: encrypted by a key of KMS without a bucket key. ``source_class``: that of the objects read;
    ``leaves_aws``: they go out to the internet. ``overwritten``: what the new objects replace; ``versioned``: it stays.
    """

    dataset: Dataset
    to_objects: bool = True
    from_objects: bool = False
    listed_source: int = 0
    listed_destination: int = 0
    heads: int = 0
    metadata_changes: int = 0
    kms: bool = False
    source_class: str | None = None
    leaves_aws: bool = False
    overwritten: Dataset = NOTHING
    versioned: bool = False


def run_cost(work: RunWork, prices: Prices, storage_class: str | None = None) -> Bill:
    """Requests and traffic of one run into ``storage_class``, without retries. Traffic into S3 is free.

    Incremental runs: ``run_cost(first).plus(run_cost(incremental).times(n))``.
    """
    lines = [
        *(_writing(work, prices, storage_class) if work.to_objects else ()),
        *(_reading(work, prices) if work.from_objects else ()),
    ]
    return bill(lines, prices.basis, _notes(prices, storage_class))


def storage_cost(
    dataset: Dataset, prices: Prices, storage_class: str | None = None, noncurrent: Dataset = NOTHING
) -> Bill:
    """What ``dataset`` costs a month once it is there, and with it the versions that it replaced in a versioned bucket.

    Small objects that a class bills as larger ones are counted by the mean of their size bin: a bin that the least size
    lies in may cost more.
    """
    each, standard = prices.of(storage_class), prices.of(None)
    objects = dataset.files + dataset.others
    padding = _padding(dataset, each)
    month = each.month(dataset.bytes)
    mean = month / (dataset.bytes / GB) if dataset.bytes else each.month(GB)
    rows = [
        ("storage", dataset.bytes / GB, "GB-month", mean),
        ("billed as the least size", padding / GB, "GB-month", mean),
        ("overhead of each object", objects * each.overhead_bytes / GB, "GB-month", mean),
        ("index of each object", objects * each.index_bytes / GB, "GB-month", standard.month(GB)),
        (
            "monitoring",
            objects if each.monitoring_per_thousand_month else 0,
            "objects",
            each.monitoring_per_thousand_month / 1_000,
        ),
        ("noncurrent versions", noncurrent.bytes / GB, "GB-month", mean),
    ]
    return bill(rows, prices.basis, _notes(prices, storage_class))


def early_deletion(dataset: Dataset, prices: Prices, storage_class: str | None, age_days: float) -> Bill:
    """What is charged for replacing or deleting ``dataset`` so long after it was written: the days that are missing."""
    each = prices.of(storage_class)
    days = max(0.0, each.minimum_days - age_days)
    size = dataset.bytes + _padding(dataset, each) + (dataset.files + dataset.others) * each.overhead_bytes
    rows = [(f"early deletion, {days:g} days of {each.minimum_days}", size / GB, "GB", each.month(GB) * days / 30)]
    return bill(rows, prices.basis, _notes(prices, storage_class))


def transition_cost(dataset: Dataset, prices: Prices, storage_class: str | None) -> Bill:
    """What a lifecycle rule costs that moves ``dataset`` from STANDARD into ``storage_class`` later."""
    each = prices.of(storage_class).transition_per_thousand / 1_000
    return bill([("transitions", dataset.files + dataset.others, "objects", each)], prices.basis)


def _writing(work: RunWork, prices: Prices, storage_class: str | None) -> Iterator[Row]:
    single, large, parts = uploads(work.dataset)
    put = unit_price("PUT", prices, storage_class)
    part = unit_price("PUT", prices, None if prices.of(storage_class).parts_as_standard else storage_class)
    yield "PUT of whole files", single, "requests", put
    yield "PUT of folder markers and links", work.dataset.others, "requests", put
    yield "POST that begin uploads", large, "requests", part
    yield "PUT of parts", parts, "requests", part
    yield "POST that complete uploads", large, "requests", put
    yield "COPY of metadata", work.metadata_changes, "requests", unit_price("COPY", prices, storage_class)
    yield "HEAD of objects", work.heads, "requests", unit_price("HEAD", prices, storage_class)
    if work.listed_destination:
        yield "LIST of the destination", pages(work.listed_destination), "requests", unit_price("LIST", prices)
    if work.kms:
        asked = single + work.dataset.others + large + parts + work.metadata_changes
        yield "KMS, at most", asked, "requests", prices.kms.per_thousand / 1_000
    if work.versioned:
        each = prices.of(storage_class).month(GB)
        yield "noncurrent versions, a month", work.overwritten.bytes / GB, "GB-month", each


def _reading(work: RunWork, prices: Prices) -> Iterator[Row]:
    single, _, parts = uploads(work.dataset)
    each = prices.of(work.source_class)
    if work.listed_source:
        yield "LIST of the source", pages(work.listed_source), "requests", unit_price("LIST", prices)
    yield "GET of objects", single + parts, "requests", unit_price("GET", prices, work.source_class)
    if each.retrieval_per_gb:
        yield "retrieval", work.dataset.bytes / GB, "GB", each.retrieval_per_gb
    if work.leaves_aws:
        yield "egress to the internet", work.dataset.bytes / GB, "GB", prices.egress.per_gb


def _padding(dataset: Dataset, each: ClassPrices) -> int:
    """Bytes that are billed and not there: of objects below the least size; folder markers are below it too."""
    bins = [(one.files, one.bytes) for one in dataset.bins] or [(dataset.files, dataset.bytes)]
    bins.append((dataset.others, 0))
    return sum(max(0, count * each.minimum_bytes - size) for count, size in bins)


def _notes(prices: Prices, storage_class: str | None) -> tuple[str, ...]:
    if storage_class is None or storage_class in prices.classes:
        return ()
    return (f"no prices of {storage_class} are known: those of STANDARD are used",)
