"""Buckets: what a server answers becomes a sentence that says what to do, or what was asked for."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import DestinationError, LocationError, SourceError
from engine.locations.base import PartResult
from engine.locations.credentials import Credentials, current_credentials, new_session, proxy_for
from engine.locations.listing import ScanLimit
from engine.locations.s3 import S3Location
from engine.locations.s3_bucket import AWS_LARGEST, OTHERS_LARGEST
from engine.locations.s3_client import DataPath
from engine.model import Fate, Kind, LocationSpec
from tests.certificates import self_signed
from tests.conftest import SpecMaker
from tests.contract.sides import Everything, files_of, listed, path_of_row, rows_of
from tests.integration.s3.opening import Stub, always, opened
from tests.integration.s3_stub import LISTING, Answer, Request, error, serving
from xsync_tui.demo.server import S3Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# --- a real server ---


def test_unknown_key_wrong_secret_and_missing_bucket(
    bucket: str, s3_spec: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(s3_spec(f"{bucket}-not")) as location:
        with pytest.raises(DestinationError, match=rf"the bucket {bucket}-not does not exist.*never makes a bucket"):
            location.check_destination()
        with pytest.raises(DestinationError, match="does not exist"):
            location.begin(b"x", 1, {})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with opened(s3_spec(bucket)) as location, pytest.raises(SourceError, match="secret key does not fit"):
        location.check_source()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong")
    with opened(s3_spec(bucket)) as location, pytest.raises(DestinationError, match="access key is not known"):
        location.check_destination()


def test_lists_more_than_a_page_in_many_folders(bucket: str, s3_spec: SpecMaker, boto: S3Client) -> None:
    expected = {f"{n % 11}/{n}".encode(): 0 for n in range(1200)} | {f"flat-{n}".encode(): 0 for n in range(1010)}
    for path in expected:
        boto.put_object(Bucket=bucket, Key=f"p/{path.decode()}", Body=b"")
    boto.put_object(Bucket=bucket, Key="pq/not-ours", Body=b"")
    with opened(s3_spec(bucket, "p")) as location:
        assert files_of(rows_of(location.stored())) == expected
        assert files_of(listed(location)) == expected


def test_folder_markers_are_folders(bucket: str, s3_spec: SpecMaker, boto: S3Client) -> None:
    for key in ("p/", "p/empty/", "p/full/", "p/full/x"):
        boto.put_object(Bucket=bucket, Key=key, Body=b"")
    with opened(s3_spec(bucket, "p")) as location:
        for rows in (listed(location), rows_of(location.stored())):
            assert files_of(rows) == {b"full/x": 0}
            folders = {path_of_row(row) for row in rows if row["kind"] == Kind.FOLDER}
            assert folders - {b""} == {b"empty", b"full"}
        assert location.head(b"empty/") is not None
        assert location.remove([b"empty/"]) == []
        assert location.top_folders() == [b"full"]


def test_identity_changes_when_the_bucket_is_made_again(bucket: str, s3_spec: SpecMaker, boto: S3Client) -> None:
    with opened(s3_spec(bucket, "p")) as first:
        identity = first.identity()
    created = next(b["CreationDate"] for b in boto.list_buckets()["Buckets"] if b["Name"] == bucket)
    assert created.isoformat() in identity
    assert bucket in identity and identity.endswith(" /p/")


def test_storage_class_and_metadata_reach_the_object(bucket: str, s3: S3Server, boto: S3Client) -> None:
    spec = LocationSpec(url=f"s3://{bucket}", endpoint_url=s3.endpoint_url, storage_class="STANDARD_IA")
    with opened(spec) as location:
        upload_id = location.begin(b"x", 0, {"file-mtime": "1ns"})
        part = boto.upload_part(
            Bucket=bucket, Key="x", UploadId=upload_id, PartNumber=1, Body=b"", ChecksumAlgorithm="CRC64NVME"
        )
        location.complete(b"x", upload_id, [PartResult(1, 0, 0, part["ETag"])], 0, {})
        found = boto.head_object(Bucket=bucket, Key="x")
    assert found["Metadata"] == {"file-mtime": "1ns"}
    assert found["StorageClass"] == "STANDARD_IA"


# --- what a real server cannot be made to say ---


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error(400, "ExpiredToken"), r"credentials have expired\. Sign in again"),
        (error(403, "AccessDenied"), r"do not allow ListBucket on the bucket b"),
        (error(403, "RequestTimeTooSkewed"), "clock of this host"),
        (error(503, "SlowDown"), "asks to slow down"),
        (error(400, "AuthorizationHeaderMalformed", "<Region>us-west-2</Region>"), 'Set region = "us-west-2"'),
        (error(301, "PermanentRedirect", x_amz_bucket_region="us-west-2"), 'Set region = "us-west-2"'),
        (Answer(200, LISTING, {"x-amz-bucket-region": "us-west-2"}), 'Set region = "us-west-2"'),
        (error(418, "Teapot"), r"answered Teapot: as told \(ListObjectsV2\)"),
    ],
)
def test_refusals_say_what_to_do(stub: Stub, answer: Answer, expected: str) -> None:
    with stub(always(answer)) as location:
        with pytest.raises(SourceError, match=expected):
            location.check_source()
        with pytest.raises(DestinationError, match=expected):
            location.check_destination()


def test_no_right_to_write_is_found_without_writing(stub: Stub) -> None:
    seen: list[str] = []

    def respond(request: Request) -> Answer:
        seen.append(request.method)
        return Answer(200, LISTING) if request.method == "GET" else error(403, "AccessDenied")

    with stub(respond) as location:
        location.check_source()
        with pytest.raises(DestinationError, match=r"do not allow PutObject on the bucket b\. Ask for s3:PutObject"):
            location.check_destination()
    assert "PUT" not in seen


def test_what_was_asked_of_a_server_that_does_not_say_what_it_refuses_is_named(
    keys: pytest.MonkeyPatch,
) -> None:
    def respond(request: Request) -> Answer:
        silent = Answer(400, b"<Error><Code>InvalidArgument</Code></Error>")
        return Answer(200, LISTING) if request.method == "GET" else silent

    with serving(respond) as url:
        spec = LocationSpec(url="s3://b", endpoint_url=url, region="r-1", storage_class="COLDEST", sse="AES256")
        named = r'with storage_class = "COLDEST" and sse = "AES256": .* answered InvalidArgument \(CreateMultipart'
        with opened(spec) as location, pytest.raises(DestinationError, match=named):
            location.check_destination()


def test_endpoint_down(keys: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with opened(LocationSpec(url="s3://b", endpoint_url=url)) as location:
            with pytest.raises(
                DestinationError, match=r"does not answer\. Check the endpoint, DNS, firewall and proxy"
            ):
                location.check_destination()
            with pytest.raises(LocationError, match="does not answer"):
                location.identity()


def test_untrusted_certificate_and_ca_bundle(keys: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with serving(always(Answer(200, LISTING)), certificate) as url:
        with (
            opened(LocationSpec(url="s3://b", endpoint_url=url)) as location,
            pytest.raises(SourceError, match=r"certificate of https://.* is not trusted\. Set ca_bundle"),
        ):
            location.check_source()
        with opened(LocationSpec(url="s3://b", endpoint_url=url, ca_bundle=str(certificate))) as location:
            location.check_source()
            assert location.data_path().ca_bundle == str(certificate)


def test_bad_endpoint_and_profile(keys: pytest.MonkeyPatch) -> None:
    with (
        opened(LocationSpec(url="s3://b", endpoint_url="nonsense")) as location,
        pytest.raises(LocationError, match="s3://b cannot be used"),
    ):
        location.check_source()
    spec = LocationSpec(url="s3://b", aws_profile="nobody")
    with opened(spec) as location, pytest.raises(LocationError, match="profile nobody does not exist"):
        location.check_source()
    with pytest.raises(LocationError, match="profile nobody does not exist"):
        current_credentials(spec)


def test_no_credentials(keys: pytest.MonkeyPatch) -> None:
    keys.delenv("AWS_ACCESS_KEY_ID")
    keys.delenv("AWS_SECRET_ACCESS_KEY")
    spec = LocationSpec(url="s3://b", endpoint_url="http://127.0.0.1:1")
    with opened(spec) as location, pytest.raises(SourceError, match="no AWS credentials were found: set AWS_ACCESS"):
        location.check_source()
    with pytest.raises(LocationError, match="no AWS credentials were found"):
        current_credentials(spec)


def test_expired_credentials_are_read_again(keys: pytest.MonkeyPatch, tmp_path: Path, stub: Stub) -> None:
    keys.delenv("AWS_ACCESS_KEY_ID")
    keys.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = old\naws_secret_access_key = s\n")

    def respond(request: Request) -> Answer:
        if "Credential=new" in request.headers["authorization"]:
            return Answer(200, LISTING)
        file.write_text("[default]\naws_access_key_id = new\naws_secret_access_key = s\naws_session_token = t\n")
        return error(400, "ExpiredToken")

    with stub(respond) as location:
        location.check_source()
    assert current_credentials(LocationSpec(url="s3://b")) == Credentials("new", "s", "t", None)


class Particular(Everything):
    """A selector with wishes of its own: every folder has to be listed by itself."""

    def trivial(self, folder: bytes) -> bool:
        return False


@pytest.mark.parametrize("selector", [Everything(), Particular()])
def test_keys_that_are_no_paths_are_shown_and_not_followed(stub: Stub, selector: Everything) -> None:
    def respond(request: Request) -> Answer:
        item = "<LastModified>2025-01-02T03:04:05.678Z</LastModified><ETag>e</ETag><Size>1</Size>"
        is_level = "delimiter=" in request.path
        names = ("ok", "..", "a%2520b+c") if is_level else ("ok", "..", "a%2520b+c", "/x", "./y")
        keys = "".join(f"<Contents><Key>p/{key}</Key>{item}</Contents>" for key in names)
        folders = "".join(f"<CommonPrefixes><Prefix>p/{key}/</Prefix></CommonPrefixes>" for key in ("", "."))
        if "prefix=p%2F&" not in f"{request.path}&":
            return error(500, "Followed")
        kind = "<EncodingType>url</EncodingType>"
        return Answer(200, f"<ListBucketResult>{kind}{keys}{folders if is_level else ''}</ListBucketResult>".encode())

    with stub(respond) as location:
        batch = location.scan([b""], ScanLimit(seconds=60.0), selector, 1)
        assert location.top_folders() == []
    rows = {path_of_row(r): (r["fate"], r["error"] is None) for r in batch.rows.to_pylist() if r["kind"] != Kind.LISTED}
    unreadable = (Fate.UNREADABLE, False)
    odd = {b"/": unreadable, b".": unreadable} if isinstance(selector, Particular) else {b"/x": unreadable}
    odd |= {} if isinstance(selector, Particular) else {b"./y": unreadable}
    assert rows == odd | {
        b"": (Fate.CANDIDATE, True),
        b"ok": (Fate.CANDIDATE, True),
        b"a%20b c": (Fate.CANDIDATE, True),
        b"..": unreadable,
    }
    assert batch.folders_left == []
    times = {r["mtime_ns"] for r in batch.rows.to_pylist() if r["name"] == b"ok"}
    assert times == {1735787045000000000}  # whole seconds: HEAD tells no more


def test_open_uploads_over_several_pages(stub: Stub) -> None:
    upload = "<UploadId>u</UploadId><Initiated>2025-01-01T00:00:00Z</Initiated>"
    pages = {
        False: "<IsTruncated>true</IsTruncated><NextKeyMarker>p/a+b</NextKeyMarker>"
        f"<NextUploadIdMarker>u</NextUploadIdMarker><Upload><Key>p/a+b</Key>{upload}</Upload>",
        True: f"<IsTruncated>false</IsTruncated><Upload><Key>p/last</Key>{upload}</Upload>",
    }

    def respond(request: Request) -> Answer:
        second = "key-marker=p%2Fa%20b&" in request.path
        return Answer(200, f"<ListMultipartUploadsResult>{pages[second]}</ListMultipartUploadsResult>".encode())

    with stub(respond) as location:
        assert [upload.path for upload in location.open_uploads()] == [b"a b", b"last"]


def test_deletions_that_fail_say_which(stub: Stub) -> None:
    def respond(request: Request) -> Answer:
        if request.method == "DELETE":
            return error(403, "AccessDenied")
        item = "<Error><Key>p/two</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
        return Answer(200, f"<DeleteResult>{item}</DeleteResult>".encode())

    with stub(respond) as location:
        failed = dict(location.remove([b"one", b"two", b"line\nbreak"]))
    assert failed.keys() == {b"two", b"line\nbreak"}
    assert failed[b"two"] == "AccessDenied: no"
    assert "do not allow DeleteObject" in failed[b"line\nbreak"]


# --- the data path ---


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            LocationSpec(url="s3://b/a b/\u00fc", endpoint_url="http://h:9/base"),
            DataPath(False, "h:9", "/base/b/a%20b/%C3%BC/", "us-east-1", None, None),
        ),
        (
            LocationSpec(url="s3://b", endpoint_url="https://h", addressing="virtual", region="x"),
            DataPath(True, "b.h", "/", "x", None, None),
        ),
        (
            LocationSpec(url="s3://b/p", region="us-west-2"),
            DataPath(True, "b.s3.us-west-2.amazonaws.com", "/p/", "us-west-2", None, None),
        ),
        (
            LocationSpec(url="s3://b.c", region="us-west-2"),
            DataPath(True, "s3.us-west-2.amazonaws.com", "/b.c/", "us-west-2", None, None),
        ),
    ],
)
def test_data_path(keys: pytest.MonkeyPatch, spec: LocationSpec, expected: DataPath) -> None:
    with opened(spec) as location:
        assert location.data_path() == expected


def test_region_from_the_environment(keys: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default]\nregion = from-config\n[profile other]\nregion = from-profile\n")
    for profile, expected in ((None, "from-config"), ("other", "from-profile")):
        with opened(LocationSpec(url="s3://b", endpoint_url="http://h", aws_profile=profile)) as location:
            assert location.data_path().region == expected
    keys.setenv("AWS_REGION", "from-env")
    with opened(LocationSpec(url="s3://b", endpoint_url="http://h")) as location:
        assert location.data_path().region == "from-env"


def test_proxies_of_the_environment(keys: pytest.MonkeyPatch) -> None:
    keys.setenv("HTTP_PROXY", "http://p:1")
    keys.setenv("HTTPS_PROXY", "http://p:2")
    keys.setenv("NO_PROXY", "127.0.0.1,.inside.example")
    assert proxy_for("http://s3.example:9000") == "http://p:1"
    assert proxy_for("https://s3.example") == "http://p:2"
    assert proxy_for("http://127.0.0.1:9000") is None
    assert proxy_for("https://b.inside.example") is None
    with opened(LocationSpec(url="s3://b", endpoint_url="https://s3.example")) as location:
        assert location.data_path().proxy == "http://p:2"


def test_the_control_plane_goes_through_the_proxy(keys: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def respond(request: Request) -> Answer:
        seen.append(request.path)
        return Answer(200, LISTING)

    with serving(respond) as proxy:
        keys.setenv("HTTP_PROXY", proxy)
        with opened(LocationSpec(url="s3://b", endpoint_url="http://s3.nowhere.invalid")) as location:
            location.check_source()
    assert seen[0].startswith("http://s3.nowhere.invalid/b?")


def test_limits(keys: pytest.MonkeyPatch) -> None:
    assert S3Location(LocationSpec(url="s3://b/p")).capabilities.max_file_bytes == AWS_LARGEST
    found = S3Location(LocationSpec(url="s3://b/\u00fc", endpoint_url="http://h")).capabilities
    assert (found.max_file_bytes, found.max_key_bytes) == (OTHERS_LARGEST, 1024 - 3)
    location = S3Location(LocationSpec(url="s3://b/p", endpoint_url="http://h"))
    with pytest.raises(DestinationError, match="key too long"):
        location.begin(b"x" * 1023, 1, {})


def test_a_handler_of_one_session_is_not_one_of_another() -> None:
    """They begin with copies of the same handlers."""
    heard: list[str] = []
    one, other = new_session(LocationSpec("s3://b")), new_session(LocationSpec("s3://b"))
    one.register("own.event", lambda **_: heard.append("one"))
    other.get_component("event_emitter").emit("own.event")
    assert heard == []
    one.get_component("event_emitter").emit("own.event")
    assert heard == ["one"]
