"""What an agent deletes, and above all what it does not: the source is asked again just before."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.locations import absence
from engine.locations.absence import Look, spellings
from engine.locations.posix import PosixLocation
from engine.model import Action, Kind
from engine.transfer import deleting
from engine.transfer.units import AgentConfig, DeleteUnit, UnitOutcome, to_ipc
from tests.conftest import SpecMaker
from tests.faults.agents import SECONDS, actions_of, config_of, engine_of, entries_of, spec_of
from tests.privileges import as_nobody, mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DELETED = (Action.DELETED, None)
AGAIN = (Action.NOT_DELETED, deleting.AT_SOURCE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "kept").write_bytes(b"kept")
    return folder


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    folder = tmp_path / "destination"
    folder.mkdir()
    return folder


def unit_of(folder: Path, *paths: str, epoch: int = 0, old_form: bool = False) -> DeleteUnit:
    """A unit of entries of the destination as they are now, in the order given."""
    rows = {(row["dir"] + b"/" + row["name"]).lstrip(b"/"): row for row in entries_of(folder).to_pylist()}
    import pyarrow as pa

    from engine.locations.listing import ENTRY_SCHEMA

    chosen = [rows[os.fsencode(path)] for path in paths]
    return DeleteUnit(1, epoch, to_ipc(pa.Table.from_pylist(chosen, schema=ENTRY_SCHEMA)), old_form)


def done(config: AgentConfig, unit: DeleteUnit) -> UnitOutcome:
    with engine_of(config) as engine:
        return engine.submit(unit).result(SECONDS)


def config(source: Path, destination: Path) -> AgentConfig:
    location = PosixLocation(spec_of(source))
    try:
        return config_of(source, spec_of(destination), source_identity=location.identity())
    finally:
        location.close()


def test_files_links_and_empty_folders_go(source: Path, destination: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"x")
    (destination / "d").mkdir()
    (destination / "d" / "f").write_bytes(b"x")
    (destination / "link").symlink_to(outside)
    (destination / "stays").write_bytes(b"x")
    outcome = done(config(source, destination), unit_of(destination, "d/f", "link", "d"))
    assert actions_of(outcome) == {b"d/f": DELETED, b"link": DELETED, b"d": DELETED}
    assert os.listdir(destination) == ["stays"]
    assert (outside / "file").exists()


def test_deleting_again_what_a_crash_left_unrecorded_is_harmless(source: Path, destination: Path) -> None:
    (destination / "d").mkdir()
    (destination / "d" / "f").write_bytes(b"x")
    unit = unit_of(destination, "d/f", "d")
    first = done(config(source, destination), unit)
    assert actions_of(done(config(source, destination), unit)) == actions_of(first)


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
def test_what_is_at_the_source_again_stays(source: Path, destination: Path, kind: str) -> None:
    (destination / "a").write_bytes(b"x")
    unit = unit_of(destination, "a")
    make: dict[str, Callable[[Path], object]] = {
        "file": lambda path: path.write_bytes(b""),
        "link": lambda path: path.symlink_to("kept"),
        "dangling link": lambda path: path.symlink_to("nowhere"),
        "folder": lambda path: path.mkdir(),
    }
    make[kind](source / "a")
    assert actions_of(done(config(source, destination), unit)) == {b"a": AGAIN}
    assert (destination / "a").exists()


def test_a_link_on_the_way_at_the_source_is_not_followed(source: Path, destination: Path) -> None:
    (source / "real").mkdir()
    (source / "real" / "f").write_bytes(b"x")
    (source / "d").symlink_to("real")
    (destination / "d").mkdir()
    (destination / "d" / "f").write_bytes(b"x")
    assert actions_of(done(config(source, destination), unit_of(destination, "d/f"))) == {b"d/f": DELETED}


def test_a_source_that_cannot_be_asked_keeps_everything(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (destination / "a").write_bytes(b"x")
    unit = unit_of(destination, "a")

    def no_answer(self: Look, path: bytes, *, folder: bool) -> Kind | None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Look, "kind_at", no_answer)
    assert actions_of(done(config(source, destination), unit)) == {b"a": (Action.NOT_DELETED, deleting.UNKNOWN)}
    assert (destination / "a").exists()


def test_a_source_that_is_another_ends_the_run(source: Path, destination: Path) -> None:
    (destination / "a").write_bytes(b"x")
    settings = config(source, destination)
    unit = unit_of(destination, "a")
    source.rename(source.with_name("moved"))
    source.mkdir()
    outcome = done(settings, unit)
    assert "is not what it was" in outcome.fatal
    assert actions_of(outcome) == {b"a": (Action.RELEASED, None)}
    assert (destination / "a").exists()


def test_a_mount_that_vanishes_while_it_is_asked_deletes_nothing(
    source: Path, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look finds nothing any more: only the look at the source itself, afterwards, tells why."""
    mount("-t", "tmpfs", "tmpfs", source)
    try:
        for name in ("a", "b"):
            (source / name).write_bytes(b"x")
            (destination / name).write_bytes(b"x")
        settings, unit = config(source, destination), unit_of(destination, "a", "b")
        begin = Look.__init__

        def vanish_first(self: Look, location: PosixLocation) -> None:
            subprocess.run(["umount", "-l", source], check=True)
            begin(self, location)

        monkeypatch.setattr(Look, "__init__", vanish_first)
        outcome = done(settings, unit)
    finally:
        subprocess.run(["umount", "-l", source], check=False, capture_output=True)
    assert "is not what it was" in outcome.fatal
    assert {action for action, _ in actions_of(outcome).values()} == {Action.RELEASED}
    assert sorted(os.listdir(destination)) == ["a", "b"]


def test_a_folder_that_is_not_empty_stays_with_all_it_holds(source: Path, destination: Path) -> None:
    (destination / "d").mkdir()
    unit = unit_of(destination, "d")
    (destination / "d" / "new").write_bytes(b"x")
    assert actions_of(done(config(source, destination), unit)) == {b"d": (Action.NOT_DELETED, "folder not empty")}
    assert (destination / "d" / "new").exists()


@pytest.mark.parametrize("change", ["content", "time", "folder"])
def test_what_changed_since_it_was_listed_stays(source: Path, destination: Path, change: str) -> None:
    path = destination / "a"
    path.write_bytes(b"x")
    unit = unit_of(destination, "a")
    if change == "content":
        path.write_bytes(b"longer")
    elif change == "time":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
        path.mkdir()
    assert actions_of(done(config(source, destination), unit)) == {b"a": (Action.NOT_DELETED, deleting.CHANGED)}
    assert path.exists()


@pytest.mark.parametrize("instead", ["file", "link"])
def test_what_took_the_place_of_a_link_stays(source: Path, destination: Path, instead: str) -> None:
    path = destination / "a"
    path.symlink_to("old")
    unit = unit_of(destination, "a")
    path.unlink()
    if instead == "file":
        path.write_bytes(b"not what was listed")
    else:
        path.symlink_to("new")
    assert actions_of(done(config(source, destination), unit)) == {b"a": (Action.NOT_DELETED, deleting.CHANGED)}
    assert os.path.lexists(path)


def test_a_link_in_the_way_is_not_followed(source: Path, destination: Path, tmp_path: Path) -> None:
    (destination / "d").mkdir()
    (destination / "d" / "f").write_bytes(b"x")
    unit = unit_of(destination, "d/f")
    (tmp_path / "elsewhere").mkdir()
    os.rename(destination / "d" / "f", tmp_path / "elsewhere" / "f")
    (destination / "d").rmdir()
    (destination / "d").symlink_to(tmp_path / "elsewhere")
    done(config(source, destination), unit)
    assert (tmp_path / "elsewhere" / "f").exists()


def test_files_in_a_read_only_folder_go() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)  # pytest's own folders are closed to other accounts
        with as_nobody():
            source, destination = Path(name) / "source", Path(name) / "destination"
            source.mkdir()
            (destination / "d").mkdir(parents=True)
            (destination / "d" / "f").write_bytes(b"x")
            (destination / "d").chmod(0o555)
            assert actions_of(done(config(source, destination), unit_of(destination, "d/f"))) == {b"d/f": DELETED}


def test_nothing_goes_after_the_lease_or_for_an_old_epoch(source: Path, destination: Path) -> None:
    (destination / "a").write_bytes(b"x")
    unit = unit_of(destination, "a")
    with engine_of(config(source, destination)) as engine:
        engine.fence(1)
        fenced = engine.submit(unit).result(SECONDS)
        engine.renew_lease(0)
        late = engine.submit(unit_of(destination, "a", epoch=9)).result(SECONDS)
    assert actions_of(fenced) == actions_of(late) == {b"a": (Action.RELEASED, None)}
    assert (destination / "a").exists()


def test_old_forms_leave_no_row_and_need_another_type_at_the_source(source: Path, destination: Path) -> None:
    (destination / "d").mkdir()
    (destination / "e").mkdir()
    (source / "d").write_bytes(b"a file now")
    (source / "e").mkdir()
    outcome = done(config(source, destination), unit_of(destination, "d", "e", old_form=True))
    assert actions_of(outcome) == {b"e": AGAIN}
    assert os.listdir(destination) == ["e"]
    assert stat.S_ISREG((source / "d").stat().st_mode)


def test_objects_and_markers_go_also_those_with_control_characters(
    source: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker, destination: Path
) -> None:
    names = ["d/", "d/f", "e\x01f", "g\u201bFF", "stays"]
    (destination / "d").mkdir()
    for name in names[1:4]:
        (destination / name).write_bytes(b"x")
    for name in names:
        boto.put_object(Bucket=bucket, Key=f"p/{name}", Body=b"x")
    unit = unit_of(destination, "d/f", "e\x01f", "g\u201bFF", "d")
    settings = config_of(source, s3_spec(bucket, "p"))
    assert set(actions_of(done(settings, unit)).values()) == {DELETED}
    assert [item["Key"] for item in boto.list_objects_v2(Bucket=bucket)["Contents"]] == ["p/stays"]


def test_an_object_stays_while_a_file_of_any_spelling_is_at_the_source(
    source: Path, bucket: str, boto: S3Client, s3_spec: SpecMaker, destination: Path
) -> None:
    """The key of a name that is not UTF-8 is also that of a valid name: either may be whose object it is."""
    raw, literal = b"a\xff", "a\u201bFF".encode()
    (destination / os.fsdecode(raw)).write_bytes(b"x")
    (source / os.fsdecode(literal)).write_bytes(b"x")
    boto.put_object(Bucket=bucket, Key="a\u201bFF", Body=b"x")
    outcome = done(config_of(source, s3_spec(bucket)), unit_of(destination, os.fsdecode(raw)))
    assert actions_of(outcome) == {raw: AGAIN}
    assert boto.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_key_has_all_its_spellings_and_no_others() -> None:
    assert spellings(b"a/b") == [b"a/b"]
    assert set(spellings(b"a\xff")) == {b"a\xff", "a\u201bFF".encode()}
    both = spellings(b"a\xff/" + "b\u201bFE".encode())
    assert set(both) >= {b"a\xff/" + "b\u201bFE".encode(), b"a\xff/b\xfe", "a\u201bFF/b\u201bFE".encode()}
    many = b"/".join([b"a\xff"] * (absence.MOST_SPELLINGS.bit_length() + 1))
    with pytest.raises(Exception, match="names could stand"):
        spellings(many)
