"""``xsync test-run`` as a user runs it: what it copies counts, nothing is left open, and nothing beside is touched."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.home import Home
from engine.journal.reader import list_executions
from engine.journal.records import Summary
from engine.model import Status
from profiles import store
from tests.support import Xsync
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILES = 26
FOLDERS = 10


@pytest.fixture
def xsync(tmp_path: Path) -> Xsync:
    return Xsync(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Folders of the same mix."""
    content = random.Random(4)
    for number in range(FOLDERS):
        place = tmp_path / "source" / f"2025-{number}" / "in"
        place.mkdir(parents=True)
        for index in range(FILES):
            (place / f"{index}.dat").write_bytes(content.randbytes(400_000 if index < 6 else 2_000))
    return tmp_path / "source"


def save_profile(xsync: Xsync, server: S3Server, source: Path, bucket: str, more: str = "") -> Path:
    path = xsync.home / "profiles" / "lab.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'# what we agreed\nschema = 1\nname = "lab"\n[source]\nurl = "file://{source}"\n[destination]\n'
        f'url = "s3://{bucket}/data"\nendpoint_url = "{server.endpoint_url}"\nregion = "{server.region}"\n{more}'
    )
    return path


LIMIT = 1_500_000
SLOW = f"[options]\nbytes_per_second = {LIMIT}\n"


def test_what_a_ladder_copies_is_not_sent_again(
    xsync: Xsync, source: Path, s3: S3Server, bucket: str, boto: S3Client
) -> None:
    profile = save_profile(xsync, s3, source, bucket, SLOW)
    done = xsync.run("test-run", "lab", "--ladder", "--agents", "2", "--seconds", "8")
    assert done.code == 0, done.errors
    (found,) = done.lines
    assert [step["agents"] for step in found["steps"]] == [1, 2]
    first, second = (set(step["folders"]) for step in found["steps"])
    assert not first & second
    assert found["mix"] == pytest.approx(1)
    assert len(found["candidates"]) == 2 * FOLDERS
    assert all(each["distance"] == pytest.approx(0, abs=1e-9) for each in found["candidates"])
    assert 0 < found["files"] < FOLDERS * FILES
    assert found["left"]["files"] == FOLDERS * FILES - found["files"]
    (copy,) = (each for each in found["changes"] if each["unit"] == "seconds")
    assert copy["what"].startswith("full copy, ")
    assert copy["after"]["low"] > found["left"]["seconds"]["low"] > 0
    assert found["left"]["seconds"]["low"] * LIMIT > 0.999 * found["left"]["bytes"]
    assert found["verdict"]["word"] == "LIMITED"
    assert [step["limit"] for step in found["steps"]] == [LIMIT, LIMIT]
    assert (found["one"], found["curve"], found["predictions"]) == (None, None, {})
    statuses = {summary.status for summary in _summaries(xsync)}
    assert statuses <= {Status.SUCCESS, Status.CANCELLED}
    assert boto.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert profile.read_text().startswith("# what we agreed\n")
    kept = store.load(str(profile)).measured
    assert [step.limit_bytes_per_second for step in kept.steps] == [LIMIT, LIMIT]
    planned = xsync.run("plan", "lab")
    (plan,) = planned.lines
    assert plan["binding_limit"]["name"] == "rate limit"
    assert not any(limit["name"].startswith("shared") for limit in plan["limits"])
    assert {origin["kind"] for origin in plan["rests_on"]}.isdisjoint(("test run", "execution"))
    assert plan["warnings"][0] == "the test run was held back by a limit of 1.50 MB/s: lifting it was not tried"
    assert (xsync.home / "test-runs" / f"{found['id']}.json").exists()
    profile.write_text(profile.read_text().replace(SLOW, ""))
    after = xsync.run("run", "lab")
    assert after.code == 0, after.errors
    assert after.result["files"]["skipped"] == found["files"]
    assert after.result["files"]["transferred"] == FOLDERS * FILES - found["files"]
    assert verify(source, s3, bucket, "data").differences == ()
    again = xsync.run("test-run", "lab")
    assert again.code == 2
    assert "nothing is left to test with" in again.message


def test_filters_hold_in_a_test_run_and_what_it_copied_counts_under_others(
    xsync: Xsync, source: Path, s3: S3Server, bucket: str
) -> None:
    (source / "2025-1" / "in" / "scratch.tmp").write_bytes(b"x" * 9_000)
    filters = '[filters]\ninclude = ["/2025-1", "/2025-2"]\nexclude = ["*.tmp"]\n'
    profile = save_profile(xsync, s3, source, bucket, filters)
    done = xsync.run("test-run", "lab", "--folder", "/2025-1/in", "--seconds", "8")
    assert done.code == 0, done.errors
    (found,) = done.lines
    assert found["steps"][0]["folders"] == ["2025-1/in"]
    assert found["files"] == FILES
    assert found["verdict"]["word"] == "TOO SMALL"
    assert not store.load(str(profile)).measured.steps
    wanted = xsync.run("run", "lab")
    assert wanted.result["files"]["transferred"] == FILES
    assert wanted.result["files"]["skipped"] == FILES
    save_profile(xsync, s3, source, bucket)
    whole = xsync.run("run", "lab")
    assert whole.code == 0, whole.errors
    assert whole.result["files"]["skipped"] == 2 * FILES
    assert verify(source, s3, bucket, "data").differences == ()


def test_ctrl_c_ends_the_step_for_good_and_keeps_what_is_there(
    xsync: Xsync, source: Path, s3: S3Server, bucket: str
) -> None:
    profile = save_profile(xsync, s3, source, bucket, SLOW)
    process = xsync.start("test-run", "lab", "--seconds", "90")
    xsync.wait_for_bytes(300_000)
    process.send_signal(signal.SIGINT)
    done = xsync.finish(process)
    assert done.code == 5, done.errors
    (found,) = done.lines
    assert found["stopped"]
    assert [summary.status for summary in _summaries(xsync)] == [Status.CANCELLED]
    profile.write_text(profile.read_text().replace(SLOW, ""))
    after = xsync.run("run", "lab")
    assert after.result["files"]["skipped"] == found["files"]
    assert verify(source, s3, bucket, "data").differences == ()


def test_mirrors_delete_nothing_in_a_test_run(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert xsync.run("run", source, target).code == 0
    (source / "2025-3" / "in" / "0.dat").unlink()
    for index in range(FILES):
        (source / "2025-4" / "in" / f"{index}.dat").write_bytes(b"new content")
    done = xsync.run("test-run", source, target, "--delete", "--seconds", "8")
    assert done.code == 0, done.errors
    assert done.lines[0]["files"] > 0
    assert (target / "2025-3" / "in" / "0.dat").exists()


def test_a_folder_that_is_not_there_is_said(xsync: Xsync, source: Path, tmp_path: Path) -> None:
    done = xsync.run("test-run", source, tmp_path / "target", "--folder", "2031")
    assert done.code == 2
    assert "2031: nothing to copy is known of such a folder; there are 2025-0, " in done.message
    assert done.message.endswith("2025-4 and 15 more")


def _summaries(xsync: Xsync) -> list[Summary]:
    return list_executions(Home(xsync.home, xsync.home / "profiles", False))


def test_agents_send_through_the_interface_that_is_named(xsync: Xsync, source: Path, s3: S3Server, bucket: str) -> None:
    place = f'url = "s3://{bucket}/data"\n'
    path = save_profile(xsync, s3, source, bucket)
    path.write_text(path.read_text().replace(place, place + 'interfaces = ["lo"]\n'))
    done = xsync.run("run", "lab")
    assert done.code == 0, done.errors
    assert verify(source, s3, bucket, "data").differences == ()
    path.write_text(path.read_text().replace('"lo"', '"eth77"'))
    refused = xsync.run("run", "lab")
    assert refused.code != 0
    assert "this host has no eth77; it has lo" in refused.message
