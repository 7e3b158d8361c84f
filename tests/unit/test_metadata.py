"""DataSync's metadata keys: one form is written, all known ones are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.locations.metadata import FileAttributes, metadata_of, parse_metadata
from engine.model import Kind, TransferOptions

ALL = TransferOptions()


def test_writes_nanoseconds_and_type_bits() -> None:
    assert metadata_of(Kind.FILE, 0o100644, 1000, 100, 1734968895123456789, 5, ALL, b"a") == {
        "file-mtime": "1734968895123456789ns",
        "file-atime": "5ns",
        "file-owner": "1000",
        "file-group": "100",
        "file-permissions": "0100644",
    }


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [
        (Kind.FILE, 0o644, "0100644"),
        (Kind.FOLDER, 0o40755, "0040755"),
        (Kind.FOLDER, 0o1777, "0041777"),
        (Kind.SYMLINK, 0o777, "0120777"),
        (Kind.FILE, 0o104755, "0104755"),
    ],
)
def test_permissions_have_seven_digits(kind: Kind, mode: int, expected: str) -> None:
    assert metadata_of(kind, mode, 0, 0, 0, 0, ALL, None)["file-permissions"] == expected


def test_options_leave_keys_out() -> None:
    none = TransferOptions(posix_permissions="NONE", uid="NONE", gid="NONE", mtime="NONE", atime="NONE")
    assert metadata_of(Kind.FILE, 0o644, 1, 2, 3, 4, none, None) == {}


def test_keeps_the_bytes_of_a_name_that_is_not_utf8() -> None:
    found = metadata_of(Kind.FILE, 0o644, 0, 0, 0, 0, ALL, b"a/\xff\n")
    assert parse_metadata(found).original_path == b"a/\xff\n"
    assert all(value.isascii() and value.isprintable() for value in found.values())


def test_the_longest_path_fits_into_user_metadata() -> None:
    found = metadata_of(Kind.FILE, 0o644, 4294967294, 4294967294, -(1 << 62), -(1 << 62), ALL, b"\xff" * 1024)
    assert sum(len(key) + len(value) for key, value in found.items()) < 2048


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1734968895000", 1734968895000 * 10**6),
        ("1734968895000ms", 1734968895000 * 10**6),
        ("1734968895000000001ns", 1734968895000000001),
        ("1602647222/222919600", 1602647222222919600),
        ("-1ns", -1),
        (" 7ns ", 7),
        ("99999999999999999999999ns", None),
        ("9999999999999999999", None),
        ("1.5", None),
        ("yesterday", None),
        ("", None),
        ("١٢ns", None),
    ],
)
def test_reads_every_form_of_time(text: str, expected: int | None) -> None:
    assert parse_metadata({"file-mtime": text}).mtime_ns == expected
    assert parse_metadata({"File-Atime": text}).atime_ns == expected


@pytest.mark.parametrize(
    ("text", "mode", "kind"),
    [
        ("0100644", 0o644, Kind.FILE),
        ("100644", 0o644, Kind.FILE),
        ("0644", 0o644, None),
        ("644", 0o644, None),
        ("0120777", 0o777, Kind.SYMLINK),
        ("0040755", 0o755, Kind.FOLDER),
        ("0104755", 0o4755, Kind.FILE),
        ("rwxr-xr-x", None, None),
        ("0999", None, None),
    ],
)
def test_reads_permissions_with_and_without_type(text: str, mode: int | None, kind: Kind | None) -> None:
    found = parse_metadata({"file-permissions": text})
    assert (found.mode, found.kind) == (mode, kind)


@pytest.mark.parametrize(("text", "expected"), [("1000", 1000), ("hdfs", None), ("-1", None), ("4294967295", None)])
def test_owners_are_numbers(text: str, expected: int | None) -> None:
    found = parse_metadata({"file-owner": text, "file-group": text})
    assert (found.uid, found.gid) == (expected, expected)


def test_nothing_known_is_nothing() -> None:
    assert parse_metadata({"user-agent": "aws-datasync"}) == FileAttributes()


@given(
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 2),
    gid=st.integers(0, 2**32 - 2),
    mtime=st.integers(-(2**62), 2**62),
    atime=st.integers(-(2**62), 2**62),
    path=st.binary(min_size=1, max_size=300),
)
def test_what_is_written_is_read(mode: int, uid: int, gid: int, mtime: int, atime: int, path: bytes) -> None:
    found = parse_metadata(metadata_of(Kind.FILE, 0o100000 | mode, uid, gid, mtime, atime, ALL, path))
    assert found[:6] == (mode, Kind.FILE, uid, gid, mtime, atime)
    assert found.original_path in (None, path)


@given(
    st.dictionaries(st.sampled_from(["file-mtime", "file-permissions", "file-owner", "xsync-original-path"]), st.text())
)
def test_never_raises(metadata: dict[str, str]) -> None:
    parse_metadata(metadata)
