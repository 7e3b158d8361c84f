"""What went wrong at an S3 endpoint, in sentences that say what to do."""

from __future__ import annotations

from typing import Any

from botocore import exceptions
from botocore.exceptions import ClientError

from engine.locations.base import RequestError
from engine.locations.credentials import NO_CREDENTIALS

NOT_IMPLEMENTED = 501
"""The one answer of its class that stays what it is."""

REGION_HEADER = "x-amz-bucket-region"

EXPIRED_CODES = frozenset({"ExpiredToken", "TokenRefreshRequired", "ExpiredTokenException"})

_SENTENCES = {
    "NoSuchBucket": "the bucket {bucket} does not exist. Check its name, or make it first: xsync never makes a bucket.",
    "InvalidBucketName": "{bucket} is not a valid bucket name.",
    "InvalidAccessKeyId": "the access key is not known to {endpoint}. Check AWS_ACCESS_KEY_ID or aws_profile.",
    "SignatureDoesNotMatch": "the secret key does not fit the access key. Check AWS_SECRET_ACCESS_KEY or aws_profile.",
    "ExpiredToken": "the credentials have expired. Sign in again (aws sso login, or new AWS_* variables), then resume.",
    "InvalidToken": "the session token is not valid. Sign in again, or unset AWS_SESSION_TOKEN.",
    "RequestTimeTooSkewed": "the clock of this host is more than 15 minutes off. Set it (chronyc makestep).",
    "AccessDenied": "the credentials do not allow {operation} on the bucket {bucket}. Ask for s3:{operation} there.",
    "SlowDown": "{endpoint} asks to slow down. Try again later.",
    "ServiceUnavailable": "{endpoint} is not available at the moment. Try again later.",
    "QuotaExceeded": "the quota of the bucket {bucket} is used up.",
    "KeyTooLongError": "the key is too long for {endpoint}.",
}
_SAME_AS = {
    "404": "NoSuchBucket",
    "403": "AccessDenied",
    "Forbidden": "AccessDenied",
    "AllAccessDisabled": "AccessDenied",
    "TokenRefreshRequired": "ExpiredToken",
    "ExpiredTokenException": "ExpiredToken",
    "503": "SlowDown",
}
_PERMISSIONS = {
    "CreateMultipartUpload": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "DeleteObjects": "DeleteObject",
}


def code_of(error: ClientError) -> str:
    """The S3 error code, or the HTTP status where there is no body."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed later: the endpoint does not answer, is too busy, or its answer is damaged.

    An error that came as a success (200) is one of those.
    """
    if isinstance(error, ClientError):
        status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        answered = 200 <= status < 300 or (status >= 500 and status != NOT_IMPLEMENTED)
        return answered or code_of(error) in ("SlowDown", "RequestTimeout")
    if isinstance(error, exceptions.SSLError):
        return False
    return isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)


_ILL_CHOSEN = frozenset(
    {
        "NoSuchBucket",
        "InvalidBucketName",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "AccessDenied",
        "AllAccessDisabled",
        "Forbidden",
        "403",
        "AuthorizationHeaderMalformed",
        "PermanentRedirect",
        "301",
        "InvalidStorageClass",
        *EXPIRED_CODES,
    }
)
"""Bucket, region, credentials or options are not those that this endpoint takes."""


def is_ill_chosen(error: Exception) -> bool:
    """Whether somebody has to correct what was typed, or sign in, before it can succeed."""
    if isinstance(error, ClientError):
        return code_of(error) in _ILL_CHOSEN
    return isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError)


def as_boto(error: OSError, endpoint: str) -> Exception:
    """A failure of a listing that did not go through botocore, as botocore would have it."""
    if not isinstance(error, RequestError):
        return _client_error("NoSuchBucket", 404, str(error))
    if error.code == "TLS error":
        return exceptions.SSLError(endpoint_url=endpoint, error=error)
    if error.status is None:
        return exceptions.EndpointConnectionError(endpoint_url=endpoint, error=error.detail)
    return _client_error(error.code, error.status, error.detail)


def _client_error(code: str, status: int, message: str) -> ClientError:
    details: Any = {"Error": {"Code": code, "Message": message}}
    details["ResponseMetadata"] = {"HTTPStatusCode": status, "HTTPHeaders": {}}
    return ClientError(details, "ListObjectsV2")


def sentence(error: Exception, bucket: str, endpoint: str) -> str:
    """Why a request failed and what to do."""
    if isinstance(error, ClientError):
        return _of_response(error, bucket, endpoint)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return f"{NO_CREDENTIALS}."
    if isinstance(error, exceptions.SSLError):
        return (
            f"the TLS certificate of {endpoint} is not trusted. Set ca_bundle to a file with the certificate of its "
            f"authority, or check that this is the right endpoint ({error})."
        )
    if isinstance(error, exceptions.ProxyConnectionError):
        return f"the proxy cannot be reached. Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY ({error})."
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return f"{endpoint} does not answer. Check the endpoint, DNS, firewall and proxy settings ({error})."
    return f"{error}."


def _of_response(error: ClientError, bucket: str, endpoint: str) -> str:
    details: Any = error.response.get("Error", {})
    region = details.get("Region") or region_of(error.response)
    code = code_of(error)
    if region and code in ("AuthorizationHeaderMalformed", "PermanentRedirect", "301", "400", "TemporaryRedirect"):
        return wrong_region(bucket, region)
    operation = _PERMISSIONS.get(error.operation_name, error.operation_name)
    found = _SENTENCES.get(_SAME_AS.get(code, code))
    if found is None:
        said = f"{code or 'an error'}: {details['Message']}" if details.get("Message") else code or "an error"
        return f"{endpoint} answered {said} ({error.operation_name})."
    return found.format(bucket=bucket, endpoint=endpoint, operation=operation)


def region_of(response: Any) -> str | None:
    """The region that a response says the bucket is in."""
    headers: dict[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers.get(REGION_HEADER)


def wrong_region(bucket: str, region: str) -> str:
    """What to do about a bucket that is elsewhere."""
    return f'the bucket {bucket} is in the region {region}. Set region = "{region}".'
