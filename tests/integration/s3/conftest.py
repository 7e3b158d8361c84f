"""Credentials that reach nothing, and locations on servers that answer as told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.locations.s3 import S3Location
from engine.model import LocationSpec
from tests.integration.s3.opening import Stub, opened
from tests.integration.s3_stub import Respond, serving


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Credentials and nothing else in the environment; requests are tried once."""
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr("engine.locations.s3_client.ATTEMPTS", 1)
    return monkeypatch


@pytest.fixture
def stub(keys: pytest.MonkeyPatch) -> Stub:
    """Call it with what the server answers for a location on that server."""

    @contextmanager
    def make(respond: Respond) -> Iterator[S3Location]:
        with (
            serving(respond) as url,
            opened(LocationSpec(url="s3://b/p", endpoint_url=url, region="eu-west-1")) as location,
        ):
            yield location

    return make
