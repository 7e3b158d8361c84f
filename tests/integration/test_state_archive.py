"""``xsync state export|import``: knowledge moves whole or not at all, and no archive writes where it should not."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from engine.catalog.state import read_state
from engine.errors import UsageError
from engine.execution.state_archive import import_state
from engine.locks import runner_lock
from tests.indoors import Indoors
from tests.support import SIZES, SLOW, Xsync, make_source

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def one(tmp_path: Path) -> Xsync:
    return Indoors(tmp_path / "one")


@pytest.fixture
def other(tmp_path: Path) -> Xsync:
    return Indoors(tmp_path / "other")


@pytest.fixture
def archive(one: Xsync, tmp_path: Path) -> Path:
    """The state of a run of the profile lab: 30 files from source to target."""
    source = make_source(tmp_path / "source", files=30)
    assert one.run("profiles", "new", "lab", source, tmp_path / "target").code == 0
    assert one.run("run", "lab").code == 0
    done = one.run("state", "export", tmp_path / "lab.tar.zst")
    assert done.code == 0, done.errors
    return tmp_path / "lab.tar.zst"


def states(home: Path) -> list[Path]:
    return sorted((home / "state").iterdir())


def imported(xsync: Xsync, archive: Path, *options: str) -> dict[str, Any]:
    done = xsync.run("state", "import", archive, *options)
    assert done.code == 0, done.errors
    return done.lines[0]


def test_the_other_host_goes_on_incrementally(one: Xsync, other: Xsync, archive: Path) -> None:
    said = imported(other, archive)
    assert said["rows"] == 30 + 36  # files, folders and the root
    assert [note for note in said["notes"] if "is the same here" in note]
    assert any("Saved the profile" in note for note in said["notes"])
    done = other.run("run", "lab")
    assert (done.result["files"]["transferred"], done.result["files"]["skipped"]) == (0, 30)


def test_another_source_is_said_to_be_another(other: Xsync, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "source").rename(tmp_path / "moved")
    assert any("cannot be reached here" in note for note in imported(other, archive)["notes"])
    (tmp_path / "source").mkdir()
    assert any("is another here" in note for note in imported(other, archive)["notes"])


def test_a_newer_state_is_not_overwritten_unless_forced(one: Xsync, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "source" / "new").write_bytes(b"new")
    assert one.run("run", "lab").code == 0
    (before,) = states(one.home)
    refused = one.run("state", "import", archive)
    assert refused.code == 4
    assert "is newer" in refused.message
    assert states(one.home) == [before]
    said = imported(one, archive, "--force")
    assert any("is kept" in note for note in said["notes"])
    assert [path.name.partition(".")[0] for path in states(one.home)] == [before.name] * 2
    assert sum(file.rows for file in read_state(before).files) == 66
    assert one.run("run", "lab").result["files"]["transferred"] == 1


def test_a_profile_that_is_here_is_kept(one: Xsync, archive: Path) -> None:
    path = one.home / "profiles" / "lab.toml"
    path.write_text(
        path.read_text() + "\nagents = 3\n" if "agents" in path.read_text() else "agents = 3\n" + path.read_text()
    )
    text = path.read_text()
    assert any("another one: it is kept" in note for note in imported(one, archive)["notes"])
    assert path.read_text() == text


def test_results_that_are_not_in_the_state_yet_are_not_left_behind(one: Xsync, tmp_path: Path) -> None:
    source = make_source(tmp_path / "source", files=300, sizes=SIZES)
    process = one.start("run", source, tmp_path / "target", "--agents", "1", *SLOW)
    one.wait_for_files(1)
    process.terminate()
    assert one.finish(process).code == 5
    refused = one.run("state", "export", tmp_path / "x.tar.zst")
    assert refused.code == 4
    assert "xsync resume" in refused.message
    assert not (tmp_path / "x.tar.zst").exists()


def test_while_a_run_goes_on_nothing_moves(one: Xsync, archive: Path, tmp_path: Path) -> None:
    with runner_lock(one.folder()):
        assert one.run("state", "export", tmp_path / "x.tar.zst").code == 4
        assert one.run("state", "import", archive).code == 4


def test_without_a_state_there_is_nothing_to_export(one: Xsync, archive: Path, tmp_path: Path) -> None:
    shutil.rmtree(one.home / "state")
    assert one.run("state", "export", tmp_path / "x.tar.zst").code == 2


# Archives that mean harm


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive to make bad ones of."""
    folder = tmp_path_factory.mktemp("good")
    xsync = Indoors(folder / "home")
    assert xsync.run("run", make_source(folder / "source", files=30), folder / "target").code == 0
    assert xsync.run("state", "export", folder / "good.tar.zst").code == 0
    return folder / "good.tar.zst"


def members_of(archive: Path) -> Members:
    with open(archive, "rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as plain:
        data = plain.read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]  # all are files


def signed(members: Members, **changes: Any) -> Members:
    """The members with a manifest that says of them what is true."""
    manifest, content = members[0]
    said = msgspec.json.decode(content) | changes
    said["files"] = [
        {"name": each.name, "size": len(data), "digest": hashlib.blake2b(data, digest_size=32).hexdigest()}
        for each, data in members[1:]
    ]
    return [(manifest, msgspec.json.encode(said)), *members[1:]]


def rewritten(archive: Path, out: Path, change: Callable[[Members], Members]) -> Path:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for member, content in change(members_of(archive)):
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    out.write_bytes(zstandard.compress(plain.getvalue()))
    return out


def renamed(name: str) -> Callable[[Members], Members]:
    def change(members: Members) -> Members:
        members[-1][0].name = name
        return signed(members)

    return change


def damaged(members: Members) -> Members:
    member, content = members[-1]
    return [*members[:-1], (member, content[:-1] + bytes([content[-1] ^ 1]))]


def linked(members: Members) -> Members:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    return signed([*members, (link, b"")])


def extra(members: Members) -> Members:
    return [*members, (tarfile.TarInfo("more"), b"x")]


def unknown_to_the_state(members: Members) -> Members:
    return signed([*members, (tarfile.TarInfo("more.parquet"), b"x")])


def no_parquet(members: Members) -> Members:
    return signed([(each, b"nonsense" if each.name.endswith(".parquet") else data) for each, data in members])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (renamed("../../escaped"), "is not what its manifest says"),
        (renamed("/tmp/escaped"), "is not what its manifest says"),
        (renamed("a/b"), "is not what its manifest says"),
        (linked, "is not what its manifest says"),
        (extra, "is not what its manifest says"),
        (damaged, "is damaged"),
        (unknown_to_the_state, "are not those of its state"),
        (no_parquet, "no file of a state"),
        (lambda members: members[:-1], "cut short"),
        (lambda members: members[1:], "does not begin with"),
        (lambda members: signed(members, schema=2), "another version"),
    ],
)
def test_an_archive_that_means_harm_changes_nothing(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Members], Members], expected: str
) -> None:
    home = tmp_path / "third" / "home"
    monkeypatch.setenv("XSYNC_HOME", str(home))
    bad = rewritten(good, tmp_path / "bad.tar.zst", change)
    with pytest.raises(UsageError, match=expected):
        import_state(bad, force=False)
    assert list((home / "state").iterdir()) == []
    assert not list(tmp_path.rglob("escaped"))
    assert not Path("/tmp/escaped").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", zstandard.compress(b"nonsense"), zstandard.compress(b"")])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UsageError, match="archive of a state"):
        import_state(tmp_path / "x", force=False)
    with pytest.raises(UsageError, match="no such file"):
        import_state(tmp_path / "missing", force=False)


def test_an_archive_cut_anywhere_is_refused(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "third"))
    whole = good.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UsageError):
            import_state(tmp_path / "cut", force=False)
    assert list((tmp_path / "third" / "state").iterdir()) == []
