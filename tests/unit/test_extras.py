"""What S3's keys cannot hold, as text: there and back, aside if it is long, and never of another version."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.locations.extras import (
    EXTRAS,
    MAX_METADATA_BYTES,
    Extras,
    ExtrasError,
    data_ranges,
    decode,
    encode,
    is_side_object,
    lengths_of,
    placed,
    reread,
    resolved,
    side_path,
)
from engine.names import is_always_excluded
from engine.transfer.holes import HoleMap

xattrs = st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.binary(max_size=300)), max_size=4).map(tuple)
lengths = st.lists(st.integers(1, 50), min_size=1, max_size=9).map(tuple)


@given(st.builds(Extras, xattrs, lengths, st.text("0123456789abcdef-", max_size=20), st.just({"file-mtime": "1ns"})))
def test_text_and_back(extras: Extras) -> None:
    text = encode(extras)
    assert text.isascii()
    assert decode(text) == extras


def test_nothing_is_no_text() -> None:
    assert encode(Extras()) == ""
    assert decode("") == Extras()


@pytest.mark.parametrize("text", ["2abc", "1!!", "1" + "AAAA", "@0123"])
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ExtrasError):
        decode(text)


def test_a_value_that_was_damaged_is_told() -> None:
    extras = Extras(((b"user.a", bytes(range(256))),))
    text = encode(extras)
    for place in range(1, len(text)):
        damaged = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with suppress(ExtrasError):
            assert decode(damaged) == extras


def test_a_value_that_makes_no_sense_is_read_once_more() -> None:
    texts = ["1damaged", encode(Extras(link="a")), "1damaged", "1for good"]
    assert reread(lambda: decode(texts.pop(0))).link == "a"
    with pytest.raises(ExtrasError):
        reread(lambda: decode(texts.pop(0)))
    assert texts == []


def test_short_values_lie_in_the_metadata() -> None:
    value = encode(Extras(((b"user.a", b"1"),)))
    metadata, side = placed({"file-mtime": "1ns"}, value)
    assert metadata == {"file-mtime": "1ns", EXTRAS: value}
    assert side == b""


@given(st.integers(0, 4_000))
def test_metadata_never_exceeds_what_an_object_takes(size: int) -> None:
    metadata, side = placed({"k": "v" * 500}, "1" + "x" * size)
    assert sum(len(key) + len(value) for key, value in metadata.items()) <= MAX_METADATA_BYTES
    assert side in (b"", b"1" + b"x" * size)
    assert bool(side) is metadata[EXTRAS].startswith("@")


def test_a_side_object_of_another_version_is_refused() -> None:
    extras = Extras(((b"user.a", bytes(range(256)) * 20),))
    metadata, side = placed({"k": "v" * 2_000}, encode(extras))
    assert resolved(metadata[EXTRAS], lambda: side) == extras
    with pytest.raises(ExtrasError):
        resolved(metadata[EXTRAS], lambda: side + b"x")


@pytest.mark.parametrize("path", [b"", b"a", b"a/b\xff/c"])
def test_side_objects_lie_beside_and_are_never_data(path: bytes) -> None:
    side = side_path(path)
    assert side.rpartition(b"/")[0] == path.rpartition(b"/")[0]
    assert is_side_object(side)
    assert is_always_excluded(side)
    assert side_path(path) == side != side_path(path + b"x")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=8), st.integers(0, 9))
def test_lengths_are_the_ranges(steps: list[tuple[int, int]], tail: int) -> None:
    ranges: list[tuple[int, int]] = []
    offset = 0
    for gap, length in steps:
        if gap or not ranges:
            ranges.append((offset + gap, offset + gap + length))
        else:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + length)
        offset += gap + length
    found = lengths_of(ranges, offset + tail)
    if offset + tail and not (len(ranges) == 1 and ranges[0] == (0, offset + tail)):
        assert list(data_ranges(found)) == ranges
        assert sum(found) == offset + tail
    else:
        assert found == ()


@given(st.binary(max_size=200), lengths, st.integers(1, 40))
def test_all_that_is_not_zero_is_written(content: bytes, found: tuple[int, ...], step: int) -> None:
    holes, written, places = HoleMap(found), bytearray(len(content)), 0
    for offset in range(0, len(content), step):
        for piece, place in holes.pieces(memoryview(content)[offset : offset + step], offset):
            written[place : place + len(piece)] = piece
            places += len(piece)
    assert bytes(written) == content
    assert places <= len(content)


def test_zeros_in_holes_are_left_out() -> None:
    pieces = list(HoleMap((2, 3, 1)).pieces(memoryview(b"ab\0\0\0c\0"), 0))
    assert [(bytes(piece), place) for piece, place in pieces] == [(b"ab", 0), (b"c", 5), (b"\0", 6)]
