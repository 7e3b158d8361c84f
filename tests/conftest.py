"""Fixtures shared by all tests: one real S3 server a session, fresh buckets, and specs that point at them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import pytest
from hypothesis import settings

from engine.model import LocationSpec
from xsync_tui.demo.server import S3Server, s3_client, s3_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)  # pytest --hypothesis-profile search: other examples each time
settings.load_profile("steady")

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each process that a test starts would compile everything anew


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that renews what pictures are compared with."""
    parser.addoption("--renew-pictures", action="store_true", help="write the pictures of screens anew")


@pytest.fixture(scope="session", autouse=True)
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stands in for where xsync keeps its files without XSYNC_HOME, so that no test gets at those of its user."""
    folder = tmp_path_factory.mktemp("account")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XSYNC_HOME", raising=False)
        for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            patch.setenv(variable, str(folder))
        yield folder


@pytest.fixture(autouse=True)
def leaves_the_account_alone(account: Path) -> Iterator[None]:
    """Fail a test that keeps something where its user's own executions and profiles are."""
    yield
    if left := sorted(str(path.relative_to(account)) for path in account.rglob("*")):
        shutil.rmtree(account / left[0].partition("/")[0])
        pytest.fail(f"needs an XSYNC_HOME of its own: it wrote into that of its user: {', '.join(left)}")


class SpecMaker(Protocol):
    """Makes the LocationSpec of a bucket and prefix on the test server."""

    def __call__(self, bucket: str, prefix: str = "") -> LocationSpec: ...


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running S3 server; the environment holds its credentials, and nothing of the account that runs the tests."""
    folder = tmp_path_factory.mktemp("s3-server")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1")  # one volume a bucket, not seven: most hold few objects
        server = stack.enter_context(s3_server(folder))
        patch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        patch.setenv("AWS_REGION", server.region)
        patch.setenv("AWS_DEFAULT_REGION", server.region)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", str(folder / "no-config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "no-credentials"))
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        patch.delenv("AWS_PROFILE", raising=False)
        yield server


@pytest.fixture(scope="session")
def boto(s3: S3Server) -> Iterator[S3Client]:
    """A boto3 client of the test server, to look at what xsync did from outside."""
    client = s3_client(s3)
    yield client
    client.close()


@pytest.fixture
def bucket(boto: S3Client) -> Iterator[str]:
    """A new bucket; it and all it holds are deleted after the test."""
    name = f"test-{uuid4().hex[:16]}"
    boto.create_bucket(Bucket=name)
    yield name
    boto.delete_bucket(Bucket=name)  # this server deletes what is in it too


@pytest.fixture
def s3_spec(s3: S3Server) -> SpecMaker:
    """Call it with a bucket and a prefix ("" or "a/b") for the LocationSpec."""

    def make(bucket: str, prefix: str = "") -> LocationSpec:
        url = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        return LocationSpec(url=url, region=s3.region, endpoint_url=s3.endpoint_url, addressing="path")

    return make
