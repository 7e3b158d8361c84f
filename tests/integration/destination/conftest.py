"""A source of every kind of file, and where it goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.indoors import Indoors
from tests.integration.destination.acts import NAMES
from tests.support import Xsync
from xsync_tui.demo.server import S3Server


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Indoors(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Six small files in a folder, a link, and a file that goes in parts."""
    root = tmp_path / "source"
    (root / "d").mkdir(parents=True)
    for name in NAMES:
        (root / "d" / name).write_bytes(name.encode() * 100)
        os.utime(root / "d" / name, ns=(1, 1_700_000_000_123_456_789))
    (root / "d" / "link").symlink_to("a")
    (root / "large").write_bytes(os.urandom(1 << 20) * 33)
    return root


@pytest.fixture
def place(s3: S3Server, bucket: str) -> list[str]:
    """The destination of the tests as the command line has it."""
    return [f"s3://{bucket}/data", "--endpoint-url", s3.endpoint_url, "--region", s3.region]
