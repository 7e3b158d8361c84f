"""What a bucket proves about what it received, and when an upload counts as completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import DestinationError, ExistsError, UploadGoneError
from engine.locations.base import Made, PartResult
from engine.locations.etags import etag_of
from tests.conftest import SpecMaker
from tests.contract.sides import rows_of
from tests.integration.s3.opening import Stub, always, opened
from tests.integration.s3_stub import Answer, Request, error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = PartResult(1, 5, 7, '"etag"')


def test_server_that_checks_checksums_is_recognised(bucket: str, s3_spec: SpecMaker) -> None:
    with opened(s3_spec(bucket, "p")) as location:
        assert location.probe_checksums() is True
        assert location.probe_hashes() is True
        assert rows_of(location.stored()) == []


def test_an_error_inside_a_200_is_a_failure(stub: Stub) -> None:
    with stub(always(error(200, "InternalError"))) as location, pytest.raises(DestinationError, match="InternalError"):
        location.complete(b"x", "upload", [PART], 7, {})


def test_completion_sends_checksum_and_size_and_believes_no_other(stub: Stub) -> None:
    requests: list[Request] = []
    other = "<ChecksumCRC64NVME>AAAAAAAAAAg=</ChecksumCRC64NVME>"

    def respond(request: Request) -> Answer:
        requests.append(request)
        return Answer(
            200, f"<CompleteMultipartUploadResult><ETag>x</ETag>{other}</CompleteMultipartUploadResult>".encode()
        )

    with stub(respond) as location, pytest.raises(DestinationError, match="checksums differ"):
        location.complete(b"x", "upload", [PART, PartResult(2, 6, 8, "plain")], 7, {})
    assert requests[0].headers["x-amz-checksum-crc64nvme"] == "AAAAAAAAAAc="
    assert requests[0].headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert requests[0].headers["x-amz-mp-object-size"] == "11"
    assert b"<ETag>&quot;plain&quot;</ETag>" in requests[0].body or b'<ETag>"plain"</ETag>' in requests[0].body


def test_completion_of_what_must_be_new_asks_for_it(stub: Stub) -> None:
    requests: list[Request] = []

    def respond(request: Request) -> Answer:
        requests.append(request)
        return error(412, "PreconditionFailed")

    with stub(respond) as location, pytest.raises(ExistsError, match="another object"):
        location.complete(b"x", "upload", [PART], 7, {}, only_new=True)
    assert requests[0].headers["if-none-match"] == "*"
    with stub(respond) as location, pytest.raises(DestinationError, match="Precondition"):
        location.complete(b"x", "upload", [PART], 7, {})
    assert "if-none-match" not in requests[1].headers


@pytest.mark.parametrize(("size", "checksum"), [("6", "AAAAAAAAAAc="), ("5", "AAAAAAAAAAg="), ("5", "")])
def test_a_vanished_upload_is_done_only_if_size_and_checksum_agree(stub: Stub, size: str, checksum: str) -> None:
    def respond(request: Request) -> Answer:
        if request.method == "POST":
            return error(404, "NoSuchUpload")
        headers = {"x-amz-checksum-crc64nvme": checksum} if checksum else {}
        return Answer(200, b"x" * int(size), headers | {"etag": '"e"'})

    with stub(respond) as location, pytest.raises(UploadGoneError):
        location.complete(b"x", "upload", [PART], 7, {})


def test_a_vanished_upload_is_done_where_the_etag_is_that_of_its_parts(stub: Stub) -> None:
    parts = [PartResult(1, 5, 7, etag_of(b"parts")), PartResult(2, 3, 8, etag_of(b"two"))]
    together = f"{etag_of(bytes.fromhex(parts[0].etag + parts[1].etag))}-2"

    def respond(request: Request) -> Answer:
        if request.method == "POST":
            return error(404, "NoSuchUpload")
        return Answer(200, b"x" * 8, {"etag": f'"{stored}"'})

    stored = together
    with stub(respond) as location:
        assert location.complete(b"x", "upload", parts, 7, {}) == Made(together, None)
    stored = together.replace("-2", "-3")
    with stub(respond) as location, pytest.raises(UploadGoneError):
        location.complete(b"x", "upload", parts, 7, {})


def test_the_etag_is_asked_for_where_completion_tells_none(stub: Stub) -> None:
    def respond(request: Request) -> Answer:
        if request.method == "POST":
            return Answer(200, b"<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>")
        return Answer(200, b"x" * 5, {"etag": '"told"'})

    with stub(respond) as location:
        assert location.complete(b"x", "upload", [PART], 7, {}) == Made("told", None)


@pytest.mark.parametrize("of_parts", [etag_of(b"xsync canary"), "0" * 32])
def test_etags_are_hashes_only_if_those_of_parts_are_too(stub: Stub, of_parts: str) -> None:
    seen: list[str] = []

    def respond(request: Request) -> Answer:
        seen.append(request.method)
        if request.method == "POST":
            return Answer(200, b"<R><UploadId>1</UploadId></R>")
        return Answer(200, b"", {"etag": f'"{of_parts if "partNumber" in request.path else etag_of(b"xsync canary")}"'})

    with stub(respond) as location:
        assert location.probe_hashes() is (of_parts != "0" * 32)
    assert seen == ["PUT", "DELETE", "POST", "PUT", "DELETE"]


def test_a_server_that_accepts_wrong_checksums_is_found_out(stub: Stub) -> None:
    seen: list[tuple[str, str]] = []

    def respond(request: Request) -> Answer:
        seen.append((request.method, request.path.partition("?")[0]))
        return Answer(200)

    with stub(respond) as location:
        assert location.probe_checksums() is False
    assert [method for method, _ in seen] == ["PUT", "DELETE"]
    assert len({path for _, path in seen}) == 1
    assert seen[0][1].startswith("/b/p/.xsync-canary-")


def test_trials_leave_no_version_where_a_bucket_keeps_them(bucket: str, boto: S3Client, s3_spec: SpecMaker) -> None:
    boto.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    boto.put_object(Bucket=bucket, Key="p/theirs", Body=b"x")
    with opened(s3_spec(bucket, "p")) as location:
        location.try_out()
        location.probe_hashes()
        location.probe_markers()
    found = boto.list_object_versions(Bucket=bucket)
    assert [version["Key"] for version in found.get("Versions", [])] == ["p/theirs"]
    assert found.get("DeleteMarkers", []) == []


def test_who_may_delete_no_versions_hides_what_a_trial_wrote(stub: Stub) -> None:
    seen: list[tuple[str, bool]] = []

    def respond(request: Request) -> Answer:
        seen.append((request.method, "versionId=v1" in request.path))
        if seen[-1] == ("DELETE", True):
            return error(403, "AccessDenied")
        return Answer(200, b"", {"x-amz-version-id": "v1"})

    with stub(respond) as location:
        assert location.probe_checksums() is False
    assert seen == [("PUT", False), ("DELETE", True), ("DELETE", False)]
