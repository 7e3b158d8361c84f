"""Files that changed so shortly before they were read that a later change may not show."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.locations.posix import PosixLocation
from engine.model import UNSURE_NS, Identity, LocationSpec
from engine.transfer.reading import attributes_of

SECOND = 10**9
READ = 10**6 * SECOND


@pytest.mark.parametrize(
    ("mtime_ns", "ctime_ns", "unsure"),
    [
        (1, READ - UNSURE_NS - 1, False),
        (1, READ - UNSURE_NS, True),
        (1, READ, True),
        (1, READ + 9 * UNSURE_NS, True),  # the server's clock is ahead
        (READ - UNSURE_NS, 0, True),  # no ctime
        (READ - UNSURE_NS - 1, 0, False),
        (READ + UNSURE_NS + 1, READ - UNSURE_NS - 1, False),  # an mtime that somebody set
    ],
)
def test_a_file_is_unsure_that_changed_shortly_before_it_was_read(mtime_ns: int, ctime_ns: int, unsure: bool) -> None:
    assert Identity(0, 1, 10, mtime_ns, ctime_ns).is_unsure(READ) is unsure


@pytest.mark.parametrize(("passed_ns", "unsure"), [(0, True), (2 * UNSURE_NS, False)])
def test_what_is_read_of_a_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed_ns: int, unsure: bool
) -> None:
    (tmp_path / "file").write_bytes(b"content")
    os.utime(tmp_path / "file", ns=(1, 1))
    now = time.time_ns() + passed_ns
    monkeypatch.setattr(time, "time_ns", lambda: now)
    location = PosixLocation(LocationSpec(str(tmp_path)))
    file = location.open_file(b"file")
    assert attributes_of(file)[0].unsure is unsure
    file.close()
    location.close()
