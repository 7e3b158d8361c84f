"""Our signatures are botocore's, whatever is signed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from engine.locations.credentials import Credentials
from engine.locations.s3_signing import UNSIGNED, Signer, quoted

NOW = 1_763_856_000.0
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@given(key=NAMES, token=st.none() | st.just("token"), prefix=NAMES)
def test_it_is_the_signature_of_botocore(key: str, token: str | None, prefix: str) -> None:
    keys = Credentials("access", "secret", token, None)
    path, query = f"/bucket/{quoted(key)}", f"list-type=2&prefix={quoted(prefix).replace('/', '%2F')}"
    headers = {"host": "h.example:9000", "range": "bytes=0-9", "x-amz-meta-spaced": "a   b"}
    ours = Signer(lambda: keys, "eu-west-1", lambda: NOW).sign("GET", path, query, headers)
    request = AWSRequest("GET", f"http://h.example:9000{path}?{query}", headers=dict(headers))
    request.context["payload_signing_enabled"] = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(NOW, UTC))
        auth = S3SigV4Auth(BotoCredentials("access", "secret", token), "s3", "eu-west-1")
        patch.setattr(auth, "payload", lambda _: UNSIGNED)
        auth.add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]


def test_keys_are_asked_for_again_when_they_have_expired() -> None:
    found = [Credentials("old", "s", None, None), Credentials("new", "s", None, None)]
    signer = Signer(lambda: found.pop(0), "r", lambda: NOW)
    assert "Credential=old/" in signer.sign("GET", "/", "", {"host": "h"})["authorization"]
    assert "Credential=old/" in signer.sign("GET", "/", "", {"host": "h"})["authorization"]
    signer.renew()
    assert "Credential=new/" in signer.sign("GET", "/", "", {"host": "h"})["authorization"]
