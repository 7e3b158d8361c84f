"""Filters: DataSync's grammar against a naive model, pruning that loses nothing, manifests read strictly."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import filters
from engine.errors import UsageError
from engine.filters import Filters
from engine.model import Fate, FilterSpec
from engine.names import is_always_excluded

SEGMENTS = st.sampled_from([b"a", b"b", b"ab", b"a.tmp", b"tmp", b"A", b"a*b", b"a|b", b"a\\b", b".snapshot", b"\xff"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map(b"/".join)
BODIES = st.one_of(
    PATHS.filter(lambda path: b"\xff" not in path).map(filters.escape_pattern),
    st.text(alphabet="ab/.tmp", min_size=1, max_size=6),
)


def _patterns(stars: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    shaped = st.builds(
        lambda star, body, cut, slash, end: star + (body.lstrip("/") or "a" if cut else body) + slash + end,
        st.sampled_from(stars),
        BODIES,
        st.booleans(),
        st.sampled_from(["", "/"]),
        st.sampled_from(["", "*"]),
    )
    return st.lists(shaped, max_size=3).map(tuple)


SPECS = st.builds(FilterSpec, _patterns(("",)), _patterns(("", "*")))


def _naive_match(pattern: str, path: bytes) -> bool:
    """The grammar as one regular expression, tried on the path and on each of its parents."""
    tokens = re.findall(r"\\.|[^\\]", pattern)
    body = "".join(".*" if token == "*" else re.escape(token[-1]) for token in tokens)
    if not pattern.endswith("*") or pattern.endswith("\\*"):
        body = body.rstrip("/")
    anchor = "" if pattern.startswith(("/", "*")) else "(?:.*)/"
    parts = path.decode("latin-1").split("/")
    heads = ["/" + "/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    return body == "" or any(re.fullmatch(anchor + body, head, re.DOTALL) for head in heads)


def _naive_selected(spec: FilterSpec, path: bytes) -> bool:
    included = not spec.include or any(_naive_match(pattern, path) for pattern in spec.include)
    excluded = any(_naive_match(pattern, path) for pattern in spec.exclude)
    return included and not excluded and not is_always_excluded(path)


@given(SPECS, PATHS)
@example(FilterSpec(("/a/*",)), b"a")
@example(FilterSpec((), ("/a/*",)), b"a")
@example(FilterSpec(("*",), ("*/",)), b"a/b")
def test_files_are_selected_as_the_naive_model_says(spec: FilterSpec, path: bytes) -> None:
    assert (Filters(spec).fate(path, False) is Fate.CANDIDATE) == _naive_selected(spec, path)


@given(SPECS, PATHS)
def test_pruning_loses_no_candidate(spec: FilterSpec, path: bytes) -> None:
    chosen = Filters(spec)
    if chosen.fate(path, False) is Fate.CANDIDATE:
        parts = path.split(b"/")
        assert all(chosen.enters(b"/".join(parts[:depth])) for depth in range(len(parts)))


@given(SPECS, PATHS, PATHS)
@example(FilterSpec((), ("/a/*",)), b"a", b"b")
@example(FilterSpec(("/a/*",)), b"a", b"b")
@example(FilterSpec(), b"", b"a")
def test_trivial_never_lies(spec: FilterSpec, folder: bytes, below: bytes) -> None:
    chosen = Filters(spec)
    for top in (folder, b""):
        path = top + b"/" + below if top else below
        if chosen.trivial(top) and not is_always_excluded(path):
            assert chosen.fate(path, False) is chosen.fate(path, True) is Fate.CANDIDATE
            assert chosen.enters(path)


@given(SPECS, PATHS)
def test_below_a_pruned_or_excluded_folder_nothing_is_selected(spec: FilterSpec, path: bytes) -> None:
    chosen = Filters(spec)
    if not chosen.enters(path):
        assert chosen.fate(path + b"/x", False) is Fate.EXCLUDED


@given(PATHS.filter(lambda path: b"\xff" not in path), PATHS)
def test_an_escaped_path_matches_itself_and_its_content_only(path: bytes, other: bytes) -> None:
    pattern = filters.escape_pattern(path)
    chosen = Filters(FilterSpec((), (pattern,)))
    inside = f"/{other.decode('latin-1')}/".startswith(f"/{path.decode('latin-1')}/")
    assert chosen.fate(path, False) is chosen.fate(path, True) is Fate.EXCLUDED
    if not is_always_excluded(other):
        assert (chosen.fate(other, False) is Fate.EXCLUDED) == inside


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        ("/dir", ["dir", "dir/x/y"], ["dir2", "a/dir", "Dir"]),
        ("/dir/", ["dir", "dir/x/y"], ["dir2", "a/dir"]),
        ("/docs*", ["docs", "docs1/x", "docs/x"], ["a/docs", "doc"]),
        ("/docs/*", ["docs/x"], ["docs", "docs1"]),
        ("dir", ["dir", "a/dir/x"], ["adir", "dira"]),
        ("a/dir", ["a/dir", "x/a/dir/y"], ["aa/dir", "a/dir2"]),
        ("dir*", ["dir", "a/dir2/x"], ["adir"]),
        ("*.tmp", ["x.tmp", "a/b.tmp", "a.tmp/x"], ["x.tmp2", "tmp"]),
        ("*/temp", ["temp", "a/temp/x"], ["atemp", "a/temp2"]),
        ("*/temporary-folder-*", ["a/temporary-folder-1/x", "temporary-folder-"], ["a/xtemporary-folder-1"]),
        ("*thumb*", ["a/mythumbs/x"], ["thum"]),
        ("/a\\|b", ["a|b/x"], ["a", "b"]),
        ("/a\\\\b", ["a\\b"], ["ab"]),
        ("/a\\*b", ["a*b"], ["axb"]),
        ("/a\\b\\", ["ab"], ["a\\b"]),
        ("/a|/b", ["a", "b"], ["c"]),
    ],
)
def test_exclude_examples(pattern: str, matched: list[str], not_matched: list[str]) -> None:
    chosen = Filters(FilterSpec((), (pattern,)))
    assert [path for path in matched if chosen.fate(path.encode(), False) is Fate.CANDIDATE] == []
    assert [path for path in not_matched if chosen.fate(path.encode(), False) is Fate.EXCLUDED] == []


@pytest.mark.parametrize(
    ("rule", "pattern", "message"),
    [
        ("include", "*.txt", r"include pattern '\*.txt': \* may stand only at its end"),
        ("include", "/a*b", r"only at its end"),
        ("include", "**", r"only at its end"),
        ("exclude", "/a*b", r"only at its start and end"),
        ("exclude", "", r"at least one character"),
        ("include", "/a||/b", r"at least one character"),
        ("exclude", "a\0", r"no NUL"),
        ("exclude", "\\", r"names nothing"),
    ],
)
def test_patterns_refused(rule: str, pattern: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Filters(FilterSpec((pattern,)) if rule == "include" else FilterSpec((), (pattern,)))


def test_parse_pattern_wants_one_pattern() -> None:
    with pytest.raises(UsageError, match="for a pipe"):
        filters.parse_pattern("/a|/b", "include")


def test_split_patterns_keeps_escapes() -> None:
    assert filters.split_patterns("/a\\|b|*.tmp|/c\\\\|/d\\") == ("/a\\|b", "*.tmp", "/c\\\\", "/d\\")


@pytest.mark.parametrize("path", [b"", b"caf\xe9", b"a\0"])
def test_paths_no_pattern_can_name(path: bytes) -> None:
    with pytest.raises(UsageError):
        filters.escape_pattern(path)


def test_folders_on_the_way_are_candidates_and_others_are_pruned() -> None:
    chosen = Filters(FilterSpec(("/2024/01", "/2025"), ("*.tmp",)))
    assert chosen.fate(b"", True) is chosen.fate(b"2024", True) is Fate.CANDIDATE
    assert chosen.fate(b"2024", False) is Fate.EXCLUDED
    assert chosen.enters(b"2024")
    assert not chosen.enters(b"2024/02")
    assert not chosen.enters(b"2023")
    assert chosen.fate(b"2023", True) is Fate.EXCLUDED
    assert not chosen.trivial(b"2025")
    assert Filters(FilterSpec(("/2024/01", "/2025"), ("/2025/x",))).trivial(b"2024/01")


def test_always_excluded_names_need_no_filter() -> None:
    chosen = Filters(FilterSpec())
    for path in (b".snapshot", b"a/.snapshot", b"a/.zfs", b".aws-datasync", b"a/.xsync-1"):
        assert chosen.fate(path, True) is Fate.EXCLUDED
        assert not chosen.enters(path)
    assert chosen.fate(b"a/.aws-datasync", True) is Fate.CANDIDATE


def test_everything_excluded_still_has_a_root() -> None:
    chosen = Filters(FilterSpec((), ("*",)))
    assert chosen.fate(b"", True) is Fate.CANDIDATE
    assert chosen.enters(b"")
    assert not chosen.trivial(b"")
    assert chosen.fate(b"a", False) is Fate.EXCLUDED


def test_a_pickled_copy_decides_alike() -> None:
    chosen = pickle.loads(pickle.dumps(Filters(FilterSpec(("/a",)))))
    assert chosen.fate(b"a/x", False) is Fate.CANDIDATE
    assert chosen.fate(b"b", False) is Fate.EXCLUDED


def _manifest(tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "manifest.csv"
    file.write_bytes(content)
    return str(file)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_manifest_lists_files_and_the_way_to_them(tmp_path: Path, end: bytes) -> None:
    lines = [b"2025/01/a.tif", b'"b, ""c"".tif"', "d/é".encode()]
    chosen = Filters(FilterSpec(exclude=("/d",), manifest=_manifest(tmp_path, end.join(lines))))
    assert chosen.fate(b"2025/01/a.tif", False) is Fate.CANDIDATE
    assert chosen.fate(b'b, "c".tif', False) is Fate.CANDIDATE
    assert chosen.fate("d/é".encode(), False) is Fate.EXCLUDED
    assert chosen.fate(b"2025/01/b.tif", False) is Fate.EXCLUDED
    assert chosen.fate(b"2025", True) is chosen.fate(b"2025/01", True) is Fate.CANDIDATE
    assert chosen.fate(b"2025/01/a.tif", True) is Fate.EXCLUDED
    assert [folder for folder in (b"", b"2025", b"2025/01", b"2025/02", b"d") if chosen.enters(folder)] == [
        b"",
        b"2025",
        b"2025/01",
    ]
    assert not chosen.trivial(b"2025/01")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lists no file"),
        (b"a\n\nb\n", "line 2: empty"),
        (b"a\nb/\n", "line 2: 'b/' is a folder"),
        (b"a*\n", "line 1: .* wildcard"),
        (b"a\nb\na\n", "line 3: a is listed twice, first in line 1"),
        (b" a\n", "line 1: ' a' begins or ends with a space"),
        (b"a,v,x\n", "line 1: 3 fields"),
        (b"a,v1\n", "line 1: object versions are not available yet"),
        (b"/a\n", "line 1: '/a': expected a path relative"),
        (b"a/../b\n", "line 1: .* expected a path relative"),
        (b"a\0\n", "line 1"),
        (b"a\n" + b"x" * 4097, "line 2: the path has 4,097 characters"),
        (b"a\ncaf\xe9\n", "expected UTF-8"),
        (b'a\n"b\nc', "line 2: not a valid CSV line"),
        (b'a\n"b\nc"\n"d"x\n', "line 4: not a valid CSV line"),
    ],
)
def test_manifests_refused_with_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = _manifest(tmp_path, content)
    with pytest.raises(UsageError, match=message) as caught:
        filters.read_manifest(file)
    assert str(caught.value).startswith(file)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv: the manifest cannot be read"):
        Filters(FilterSpec(manifest=str(tmp_path / "none.csv")))
