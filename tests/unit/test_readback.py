"""What was written is read back from the device, whatever the size of a file and wherever the memory lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.transfer.crt import crc64nvme
from engine.transfer.readback import checksum_of, open_unread, pages


@pytest.mark.parametrize("size", [0, 1, 4_095, 4_096, 5_000, (64 << 10) + 1])
@pytest.mark.parametrize("step", [pages(8 << 10), memoryview(bytearray(8_193))[1:], memoryview(bytearray(1_000))])
def test_the_checksum_is_that_of_the_content(tmp_path: Path, size: int, step: memoryview) -> None:
    content = os.urandom(size)
    (tmp_path / "f").write_bytes(content)
    folder = os.open(tmp_path, os.O_RDONLY)
    fd = open_unread(b"f", folder)
    try:
        assert checksum_of(fd, 0, size, step) == crc64nvme(content)
        assert checksum_of(fd, min(4_096, size), size, step) == crc64nvme(content[4_096:])
    finally:
        os.close(fd)
        os.close(folder)


def test_a_file_that_is_shorter_than_it_was_has_another_checksum(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    with (tmp_path / "f").open("rb") as file:
        assert checksum_of(file.fileno(), 0, 6, pages(1)) == crc64nvme(b"12345")


def test_looking_leaves_the_access_time(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    os.utime(tmp_path / "f", ns=(10**18, 2 * 10**18))
    folder = os.open(tmp_path, os.O_RDONLY)
    fd = open_unread(b"f", folder)
    checksum_of(fd, 0, 5, pages(5))
    os.close(fd)
    os.close(folder)
    assert (tmp_path / "f").stat().st_atime_ns == 10**18
