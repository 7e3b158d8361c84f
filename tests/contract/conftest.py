"""The adapters that the contract suite runs over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.contract.sides import Side, posix_side, s3_side


@pytest.fixture(params=["posix", "s3"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """One adapter over empty storage; the server starts only for those that need it."""
    if cast("str", request.param) == "posix":
        root = tmp_path / "root"
        root.mkdir()
        yield from posix_side(root)
    else:
        yield from s3_side(
            request.getfixturevalue("s3"), request.getfixturevalue("boto"), request.getfixturevalue("bucket")
        )
