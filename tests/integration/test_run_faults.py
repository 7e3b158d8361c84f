"""Whole runs while servers fail: each ends complete, or names exactly what failed and why, and can be run again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import pytest

from engine.execution import uploads
from engine.execution.agents.twin import TwinFleet
from engine.home import find_home, list_execution_folders
from engine.journal.reader import SnapshotReader
from engine.locations import s3_client, s3_http
from engine.model import Failure, LocationSpec, Migration, Snapshot, Status
from engine.transfer.units import AgentConfig
from tests.faults.drawing import Drawn, operation_of
from tests.faults.proxy import Fault, FaultProxy, Request, fault_proxy
from tests.in_process import run_in_process
from tests.shapes import differences
from tests.support import Xsync
from xsync_tui.cli.outcome import exit_code
from xsync_tui.demo.server import S3Server
from xsync_tui.demo.verify import verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OPERATIONS = {
    "file to S3": ("put", "create", "part", "complete"),
    "S3 to file": ("list", "get", "head", "range"),
    "by the server": ("list", "get", "head", "copy", "put", "create", "part copy", "complete"),
    "streamed": ("list", "get", "head", "range", "put", "create", "part", "complete"),
}
"""What a run asks servers for, by its direction."""

FILES = 15
"""Files and links of the tree."""

LARGE = "sub/large"
OWN = "/.xsync-"


def make_tree(folder: Path) -> Path:
    """Small files under odd names, an empty one, one in parts, folders, a link, and what needs objects beside."""
    names = ["plain", "empty", "ünïcødé-文字", "  spaces ", "per%cent+plus", "-dash", "semi;colon&=", *"abcdef"]
    for number, name in enumerate(names):
        path = folder / ("sub/deeper" if number % 2 else "top") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else f"content of {name} ".encode() * (1 + 900 * number))
    (folder / "empty folder").mkdir()
    (folder / "link").symlink_to("top/plain")
    with open(folder / LARGE, "wb") as file:
        for place in range(0, 36 << 20, 4 << 20):
            file.seek(place)
            file.write(hashlib.sha256(b"%d" % place).digest() * 32_768)
        file.truncate(36 << 20)
    for path in (folder / "top" / "plain", folder / "sub"):
        with suppress(OSError):  # where the file system knows none there is nothing to be kept aside
            os.setxattr(path, "user.much", bytes(range(256)) * 12)
    return folder


@dataclass
class World:
    """A tree, its copy in a bucket, an empty bucket and a folder, with a proxy before each bucket."""

    tree: Path
    target: Path
    stocked: str
    bucket: str
    server: S3Server
    boto: S3Client
    near: FaultProxy
    far: FaultProxy

    def decide(self, decide: Any) -> None:
        """Let both proxies fail as told."""
        self.near.decide = self.far.decide = decide

    def names(self) -> set[str]:
        """Paths of all files and links."""
        return {str(path.relative_to(self.tree)) for path in self.tree.rglob("*") if not path.is_dir()}

    def ends(self, direction: str) -> tuple[LocationSpec, LocationSpec]:
        """Source and destination."""
        far = self.near if direction == "by the server" else self.far
        source = LocationSpec(str(self.tree)) if direction == "file to S3" else self._spec(self.stocked, far)
        to_file = direction == "S3 to file"
        return source, LocationSpec(str(self.target)) if to_file else self._spec(self.bucket, self.near)

    def wrong(self, direction: str) -> list[str]:
        """What the destination has otherwise than the source, as others than the engine see it."""
        assert "Uploads" not in self.boto.list_multipart_uploads(Bucket=self.bucket)
        if direction == "S3 to file":
            return differences(self.tree, self.target)
        there, here = self.objects(self.bucket), self.objects(self.stocked)
        if direction == "file to S3":  # metadata tells of a last access, which was another before
            there, here = ({key: found[0] for key, found in side.items() if OWN not in key} for side in (there, here))
            found = list(map(str, verify(self.tree, self.server, self.bucket, "data").differences))
            return found + [key for key in here | there if here.get(key) != there.get(key)]
        return [key for key in here | there if here.get(key) != there.get(key)]

    def objects(self, bucket: str) -> dict[str, Any]:
        """Content, type and metadata of every object below the prefix."""
        found: dict[str, Any] = {}
        for item in self.boto.list_objects_v2(Bucket=bucket, Prefix="data/").get("Contents", []):
            answer = self.boto.get_object(Bucket=bucket, Key=item["Key"])
            content = hashlib.sha256(answer["Body"].read()).hexdigest()
            found[item["Key"]] = content, answer["ContentType"], answer["Metadata"]
        return found

    def _spec(self, bucket: str, proxy: FaultProxy) -> LocationSpec:
        return LocationSpec(f"s3://{bucket}/data", region=self.server.region, endpoint_url=proxy.url, addressing="path")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree") / "tree")


@pytest.fixture(scope="module")
def stocked(tree: Path, boto: S3Client, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket that holds the tree."""
    name = f"test-{uuid4().hex[:16]}"
    boto.create_bucket(Bucket=name)
    spec = LocationSpec(f"s3://{name}/data", region=s3.region, endpoint_url=s3.endpoint_url, addressing="path")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XSYNC_HOME", str(tmp_path_factory.mktemp("home")))
        assert run(LocationSpec(str(tree)), spec).status is Status.SUCCESS
    yield name
    boto.delete_bucket(Bucket=name)


@pytest.fixture
def world(
    tree: Path,
    stocked: str,
    bucket: str,
    s3: S3Server,
    boto: S3Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    monkeypatch.setenv("XSYNC_HOME", str(tmp_path / "home"))
    with fault_proxy(s3.endpoint_url) as near, fault_proxy(s3.endpoint_url) as far:
        yield World(tree, tmp_path / "target", stocked, bucket, s3, boto, near, far)


def run(source: LocationSpec, destination: LocationSpec, **changes: Any) -> Snapshot:
    """Run to the end; ``changes`` are fields of AgentConfig."""

    def fleet(config: AgentConfig) -> TwinFleet:
        return TwinFleet(msgspec.structs.replace(config, **changes))

    snapshot = asyncio.run(run_in_process(Migration(source, destination, agents=1), fleet))
    for counts in (snapshot.totals.files, snapshot.totals.folders):
        decided = counts.transferred + counts.skipped + counts.failed + counts.excluded
        assert counts.discovered == decided + counts.pending
    return snapshot


def failures() -> dict[str, Failure]:
    """What the latest execution names as failed, by path."""
    with SnapshotReader(list_execution_folders(find_home())[-1]) as reader:
        return {failure.path: failure for failure in reader.failures()}


@pytest.mark.parametrize(
    "kinds", [("500", "200-with-error"), ("503", "truncated"), ("corrupt", "reset"), ("lost-answer", "stall")]
)
@pytest.mark.parametrize("direction", OPERATIONS)
def test_faults_that_pass_are_outlived(
    world: World, monkeypatch: pytest.MonkeyPatch, direction: str, kinds: tuple[Fault, ...]
) -> None:
    stalls: dict[str, Any] = {}
    if "stall" in kinds:
        stalls = {"stall_seconds": 1.0}
        monkeypatch.setattr(s3_client, "READ_SECONDS", 1)
        monkeypatch.setattr(s3_http, "STALL_SECONDS", 1.0)
    drawn = Drawn(kinds, seed=7, rate=0 if stalls else 0.1)
    world.decide(drawn)
    snapshot = run(*world.ends(direction), **stalls)
    assert snapshot.status is Status.SUCCESS, (snapshot.message, failures())
    assert exit_code(snapshot, gone=False) == 0
    assert snapshot.totals.files.transferred == FILES
    assert world.wrong(direction) == []
    assert drawn.missed(OPERATIONS[direction]) == []


@pytest.mark.parametrize("direction", ["file to S3", "S3 to file"])
def test_the_command_outlives_all_of_them(world: World, tmp_path: Path, direction: str) -> None:
    kinds: tuple[Fault, ...] = ("500", "503", "reset", "corrupt", "truncated", "200-with-error", "lost-answer")
    drawn = Drawn(kinds, seed=11, rate=0.1)
    world.decide(drawn)
    source, destination = world.ends(direction)
    reach = ["--endpoint-url", world.near.url, "--region", world.server.region]
    done = Xsync(tmp_path / "home").run("run", source.url, destination.url, *reach)
    assert done.code == 0, (done.errors, done.lines[-1:])
    files = done.result["files"]
    assert files["discovered"] == files["transferred"] == files["verified"] == FILES
    assert world.wrong(direction) == []
    assert {kind for _, kind in drawn.hits} == set(kinds)


def test_the_command_names_what_it_may_not_read(world: World, tmp_path: Path) -> None:
    """Though nothing has its final name yet: one object that may not be read does not stop the others."""
    world.decide(lambda request: "denied" if request.path.endswith("/data/top/b") else "pass")
    source, destination = world.ends("S3 to file")
    xsync = Xsync(tmp_path / "home")
    done = xsync.run("run", source.url, destination.url, "--endpoint-url", world.far.url, "--region", "us-east-1")
    assert (done.code, done.result["failures"]) == (3, {"access denied": 1}), done.errors
    report = json.loads((xsync.folder() / "report.json").read_bytes())
    assert [(failure["path"], failure["reason"]) for failure in report["failures"]] == [("top/b", "access denied")]
    assert "AccessDenied" in report["failures"][0]["detail"]


@pytest.mark.parametrize(
    ("direction", "faults", "reasons"),
    [
        (
            "file to S3",
            {("put", "top/plain"): "corrupt", ("put", "top/b"): "503", ("part", LARGE): "corrupt"},
            {"top/plain": "checksum mismatch", "top/b": "destination busy", LARGE: "checksum mismatch"},
        ),
        (
            "file to S3",
            {("put", "top/plain"): "500", ("complete", LARGE): "500"},
            {"top/plain": "transfer error", LARGE: "upload not completed"},
        ),
        (
            "S3 to file",
            {("get", "top/plain"): "corrupt", ("get", "top/b"): "truncated", ("range", LARGE): "corrupt"},
            {"top/plain": "checksum mismatch", "top/b": "transfer error", LARGE: "checksum mismatch"},
        ),
        (
            "S3 to file",
            {("get", "top/plain"): "500", ("get", "top/b"): "200-with-error", ("range", LARGE): "500"},
            {"top/plain": "transfer error", "top/b": "transfer error", LARGE: "transfer error"},
        ),
        (
            "by the server",
            {("copy", "top/plain"): "200-with-error", ("part copy", LARGE): "200-with-error"},
            {"top/plain": "transfer error", LARGE: "transfer error"},
        ),
        (
            "streamed",
            {("get", "top/plain"): "corrupt", ("put", "top/b"): "500", ("range", LARGE): "corrupt"},
            {"top/plain": "checksum mismatch", "top/b": "transfer error", LARGE: "checksum mismatch"},
        ),
    ],
)
def test_faults_that_stay_fail_exactly_their_files(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    direction: str,
    faults: dict[tuple[str, str], Fault],
    reasons: dict[str, str],
) -> None:
    monkeypatch.setattr(uploads, "RETRY_SECONDS", 0.3)

    def decide(request: Request) -> Fault:
        key = request.path.partition("?")[0].partition("/data/")[2]
        return faults.get((operation_of(request), key), "pass")

    world.decide(decide)
    snapshot = run(*world.ends(direction), retry_seconds=0.3)
    found = failures()
    assert {path: failure.reason for path, failure in found.items()} == reasons
    assert all(failure.detail for failure in found.values()), found
    assert exit_code(snapshot, gone=False) == 3
    assert snapshot.message == f"done, but {len(reasons)} file{'s'[: len(reasons) != 1]} failed"
    assert (snapshot.totals.files.failed, snapshot.totals.files.transferred) == (len(reasons), FILES - len(reasons))
    assert "Uploads" not in world.boto.list_multipart_uploads(Bucket=world.bucket)
    if direction == "S3 to file":
        names = {str(path.relative_to(world.target)) for path in world.target.rglob("*") if not path.is_dir()}
        assert names == world.names() - reasons.keys()
    world.decide(lambda request: "pass")
    again = run(*world.ends(direction))
    assert again.status is Status.SUCCESS, (again.message, failures())
    assert again.totals.files.transferred == len(reasons)
    assert world.wrong(direction) == []
