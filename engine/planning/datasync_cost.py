"""What the same work costs on AWS DataSync, Basic and Enhanced, with the requests that it makes itself. Pure.

Requests as its user guide lists them (create-s3-location): each run lists every folder of the bucket,
asks for each object in prepare, and again in verify, which in Basic mode covers all objects and reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from engine.planning.cost import NOTHING, Bill, Row, bill
from engine.planning.prices import GB, Prices
from engine.planning.requests import pages, unit_price, uploads
from engine.planning.values import Dataset

Mode = Literal["BASIC", "ENHANCED"]


class DataSyncCosts(msgspec.Struct, frozen=True):
    """Of one task mode: the first run, one incremental run, and the first with all ``incrementals``."""

    mode: Mode
    first: Bill
    incremental: Bill
    incrementals: int
    total: Bill


def datasync_cost(
    mode: Mode,
    dataset: Dataset,
    prices: Prices,
    storage_class: str | None = None,
    *,
    changes: Dataset = NOTHING,
    incrementals: int = 0,
    tasks: int = 1,
    folders: int | None = None,
) -> DataSyncCosts:
    """``dataset`` to S3 by ``tasks``, and ``incrementals`` runs that each transfer ``changes``.

    ``folders``: of the dataset; None takes its ``others``. Verification as each mode has it by default.
    """
    counted = dataset.others if folders is None else folders
    first = _run(mode, dataset, NOTHING, dataset, prices, storage_class, tasks, counted)
    later = _run(mode, changes, dataset, dataset, prices, storage_class, tasks, counted)
    return DataSyncCosts(mode, first, later, incrementals, first.plus(later.times(incrementals)))


def _run(
    mode: Mode,
    moved: Dataset,
    there: Dataset,
    after: Dataset,
    prices: Prices,
    storage_class: str | None,
    tasks: int,
    folders: int,
) -> Bill:
    """One execution of each task: ``there`` before, ``moved`` transferred, ``after`` verified."""
    checked = moved if mode == "ENHANCED" else after
    rows = [
        *_service(mode, moved, prices, tasks),
        *_requests(moved, there, checked, prices, storage_class, folders, reads=mode == "BASIC"),
    ]
    return bill(rows, prices.basis)


def _service(mode: Mode, moved: Dataset, prices: Prices, tasks: int) -> Iterator[Row]:
    price = prices.datasync.basic_per_gb if mode == "BASIC" else prices.datasync.enhanced_per_gb
    yield f"DataSync {mode.title()}, data copied", moved.bytes / GB, "GB", price
    if mode == "ENHANCED":
        yield "DataSync Enhanced, task executions", tasks, "executions", prices.datasync.enhanced_per_execution


def _requests(
    moved: Dataset,
    there: Dataset,
    checked: Dataset,
    prices: Prices,
    storage_class: str | None,
    folders: int,
    *,
    reads: bool,
) -> Iterator[Row]:
    single, large, parts = uploads(moved)
    put, head = (unit_price(kind, prices, storage_class) for kind in ("PUT", "HEAD"))
    part = unit_price("PUT", prices, None if prices.of(storage_class).parts_as_standard else storage_class)
    held = there.files + there.others
    listings = max(folders, pages(held)) if held else 1
    yield "LIST of the destination", listings, "requests", unit_price("LIST", prices)
    yield "HEAD in prepare", held, "requests", head
    yield "PUT of objects and markers", single + moved.others, "requests", put
    yield "POST that begin uploads", large, "requests", part
    yield "PUT of parts", parts, "requests", part
    yield "POST that complete uploads", large, "requests", put
    yield "HEAD in verify", checked.files + checked.others, "requests", head
    if reads:
        yield "GET in verify", checked.files, "requests", unit_price("GET", prices, storage_class)
