"""Names: keys and text give the bytes back; hostile names are told apart; twins are found."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import names

COMPONENTS = st.one_of(
    st.binary(min_size=1, max_size=255),
    st.text(min_size=1, max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text("a\\xunU0fF\u201b\u202e8É", min_size=1, max_size=12).map(str.encode),
    st.lists(st.sampled_from([b"\xff", b"\xe2\x80\x9b", b"FF", b"a", b"\\", b"\xc3"]), min_size=1).map(b"".join),
).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
PATHS = st.lists(COMPONENTS, min_size=1, max_size=4).map(b"/".join)


@given(PATHS)
@example(b"a\xffb")
@example("‛FF".encode() + b"\xff")
def test_keys_give_the_path_back(path: bytes) -> None:
    key = names.key_of(path)
    assert key.encode()  # valid UTF-8, no lone surrogates
    owner = names.path_of(key)
    # A valid name that looks like an escaped one shares the key: the escaped twin, which twin_of() finds.
    assert owner == path or names.key_of(owner) == key
    if not any(_looks_escaped(component) for component in path.split(b"/")):
        assert owner == path


def _looks_escaped(component: bytes) -> bool:
    try:
        return "‛" in component.decode()
    except UnicodeDecodeError:
        return False


@given(PATHS, PATHS)
def test_different_invalid_paths_have_different_keys(one: bytes, other: bytes) -> None:
    one, other = one + b"\xff", other + b"\xfe"
    assert names.key_of(one) != names.key_of(other)


@given(st.text(max_size=80))
def test_valid_utf8_is_its_own_key(text: str) -> None:
    assert names.key_of(text.encode(), "fail") == text


def test_key_of_escapes_or_fails() -> None:
    assert names.key_of(b"caf\xe9/\xc3\xa9") == "caf‛E9/é"
    assert names.key_of(b"\xed\xa0\x80") == "‛ED‛A0‛80"
    with pytest.raises(names.NameError_, match=r"name not UTF-8: caf\\xe9") as caught:
        names.key_of(b"caf\xe9", "fail")
    assert caught.value.reason == "name not UTF-8"


@given(PATHS)
@example(b"\\x41\\u0041\\")
@example(b"\\U00110000")
@example("a\u202e\u200bb\U000e0041\x85".encode())
def test_text_gives_the_path_back(path: bytes) -> None:
    text = names.text_of(path)
    assert names.path_of_text(text) == path
    assert json.loads(json.dumps(text)) == text
    assert text.encode()
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)


@given(st.text())
def test_any_text_is_some_path(text: str) -> None:
    names.path_of_text(text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"2025/01/a b.tif", "2025/01/a b.tif"),
        ("日本/é".encode(), "日本/é"),
        (b"a\nb\t\x1b[31m", "a\\nb\\t\\x1b[31m"),
        (b"\xff-x", "\\xff-x"),
        ("evil\u202egnp.exe".encode(), "evil\\u202egnp.exe"),
        (b"a\\b", "a\\\\b"),
        (b"-rf", "-rf"),
    ],
)
def test_text_shows_what_cannot_be_seen(path: bytes, text: str) -> None:
    assert names.text_of(path) == text


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("a/b", None),
        ("a/b/", None),
        ("x" * 1024, None),
        ("x" * 1025, "key too long"),
        ("é" * 513, "key too long"),
        ("a\0b", "NUL in name"),
        ("", "unsafe name"),
        ("/a", "unsafe name"),
        ("a//b", "unsafe name"),
        ("a/../b", "unsafe name"),
        ("./a", "unsafe name"),
        ("...", None),
        ("..a/b..", None),
    ],
)
def test_keys_a_destination_cannot_hold(key: str, reason: str | None) -> None:
    assert names.check_key(key, 1024) == reason


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        (b"", True),
        (b"a/b", True),
        (b"n" * 255, True),
        (b"-rf", True),
        (b"a\nb", True),
        (b"\xff\xfe", True),
        (b"...", True),
        (b"..", False),
        (b"a/../../etc/passwd", False),
        (b"/etc/passwd", False),
        (b"a/./b", False),
        (b"a//b", False),
        (b"a/", False),
        (b"a\0b", False),
    ],
)
def test_paths_that_would_leave_the_root(path: bytes, safe: bool) -> None:
    assert names.is_safe_relative(path) is safe


@given(PATHS)
def test_safe_paths_stay_inside(path: bytes) -> None:
    if names.is_safe_relative(path):
        assert b".." not in path.split(b"/")
        assert not path.startswith(b"/")


@pytest.mark.parametrize(
    ("path", "excluded"),
    [
        (b".snapshot", True),
        (b"a/.snapshot/hourly.0/f", True),
        (b"a/b/.zfs", True),
        (b".aws-datasync/x", True),
        (b".awssync", True),
        (b"a/.aws-datasync", False),
        (b"a/.xsync-1f2e", True),
        (b"my.snapshot", False),
        (b".snapshots", False),
        (b"", False),
        (b".hidden/file", False),
    ],
)
def test_always_excluded(path: bytes, excluded: bool) -> None:
    assert names.is_always_excluded(path) is excluded


@given(COMPONENTS)
def test_a_twin_is_the_one_other_name_of_a_key(name: bytes) -> None:
    twin = names.twin_of(name)
    if twin is None:
        return
    assert twin != name
    assert names.key_of(twin) == names.key_of(name)
    assert names.twin_of(twin) == name


def test_names_have_a_twin_if_one_of_the_two_is_escaped() -> None:
    valid = "a‛FF".encode()
    assert (names.twin_of(b"a\xff"), names.twin_of(valid)) == (valid, b"a\xff")
    assert list(map(names.twin_of, (b"a", "ü".encode(), "a‛2F".encode(), "‛".encode()))) == [None] * 4
