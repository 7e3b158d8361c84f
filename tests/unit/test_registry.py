"""URLs to adapters, and which locations lie in each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.locations.registry import (
    bucket_and_prefix,
    contains,
    destination_key,
    file_path,
    open_location,
    overlap,
    scheme_of,
)
from engine.model import LocationSpec
from tests.privileges import run_with_mounts


def spec(url: str, **more: str) -> LocationSpec:
    return LocationSpec(url=url, endpoint_url=more.get("endpoint_url"))


def test_a_bare_path_is_a_file() -> None:
    assert scheme_of("/data") == scheme_of("data/x") == scheme_of("FILE:///data") == "file"
    assert file_path("data") == os.fsencode(os.getcwd()) + b"/data"
    assert file_path("~") == os.fsencode(Path.home())


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///mnt/lab", b"/mnt/lab"),
        ("file:///mnt/a%20b/%FF/", b"/mnt/a b/\xff"),
        ("file://localhost/x", b"/x"),
        ("file:////x//y/../z", b"/x/z"),
        ("file:///a?b#c", b"/a?b#c"),
        ("file:///", b"/"),
        ("/mnt/a%20b", b"/mnt/a%20b"),
        ("/mnt/\udcff", b"/mnt/\xff"),
    ],
)
def test_file_urls_are_bytes(url: str, path: bytes) -> None:
    assert file_path(url) == path


@pytest.mark.parametrize("url", ["file://host/x", "file://x", "file:///a%00b", ""])
def test_file_urls_that_mean_nothing_here(url: str) -> None:
    with pytest.raises(UsageError):
        file_path(url)


def test_unknown_scheme_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="file://, s3:// and plain paths"):
        open_location(spec("s4://bucket"))
    with pytest.raises(UsageError, match="cannot reach gs://"):
        open_location(spec("gs://bucket"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [("s3://b", ("b", "")), ("s3://b/", ("b", "")), ("s3://b/x/y/", ("b", "x/y")), ("s3://b/a%20b", ("b", "a%20b"))],
)
def test_buckets_and_prefixes(url: str, expected: tuple[str, str]) -> None:
    assert bucket_and_prefix(url) == expected


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://b/a//b", "s3://b/../x", "s3://b/./x"])
def test_prefixes_that_cannot_be(url: str) -> None:
    with pytest.raises(UsageError):
        bucket_and_prefix(url)


def test_destination_keys_tell_buckets_and_prefixes_apart(tmp_path: Path) -> None:
    assert destination_key(spec("s3://b/x")) == ("s3 aws b", b"x")
    assert destination_key(spec("s3://b/x", endpoint_url="http://h:1/"))[0] == "s3 http://h:1 b"
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert destination_key(spec(str(tmp_path / "link"))) == destination_key(spec(f"file://{tmp_path}/real/"))
    assert destination_key(spec("/"))[1] == b""


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("s3://b", "s3://b/x", True),
        ("s3://b/x", "s3://b", False),
        ("s3://b/x", "s3://b/xy", False),
        ("s3://b/x", "s3://b/x", True),
        ("s3://b", "s3://c", False),
        ("/", "s3://c", False),
        ("/nowhere/a", "file:///nowhere/a/b", True),
        ("/nowhere/a", "/nowhere/ab", False),
    ],
)
def test_contains(outer: str, inner: str, expected: bool) -> None:
    assert contains(spec(outer), spec(inner)) is expected
    assert overlap(spec(outer), spec(inner)) is overlap(spec(inner), spec(outer))


def test_contains_looks_through_symlinks(tmp_path: Path) -> None:
    (tmp_path / "source" / "inside").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "source" / "inside")
    assert contains(spec(str(tmp_path / "source")), spec(str(tmp_path / "link" / "new")))


def test_contains_looks_through_bind_mounts(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys\n"
        "from engine.locations.registry import contains\n"
        "from engine.model import LocationSpec\n"
        "source, other = sys.argv[1:]\n"
        "subprocess.run(['mount', '--bind', source, other], check=True)\n"
        "print(contains(LocationSpec(source), LocationSpec(other + '/new')))\n"
    )
    (tmp_path / "source").mkdir()
    (tmp_path / "other").mkdir()
    assert run_with_mounts(script, str(tmp_path / "source"), str(tmp_path / "other")) == "True\n"


def test_importing_the_registry_loads_no_adapter() -> None:
    script = "import sys, engine.locations.registry; print({'boto3', 'botocore', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
