"""Headers that the options of a location add to requests: how objects are kept, and whose bucket is expected."""

from __future__ import annotations

from engine.locations.storage_classes import STORAGE_CLASSES
from engine.model import LocationSpec

BAD_CLASS = "InvalidStorageClass"
"""What servers say to a storage class that they do not have."""

WHOLE_OBJECTS = ("CreateMultipartUpload", "CopyObject")
"""boto3's operations that make an object of the dataset."""

OWN_OBJECTS = ("PutObject",)
"""Those that make one of xsync's own, which are too small for a storage class with a least size."""


def class_refused(storage_class: str, endpoint: str) -> str:
    """What to do about a storage class that ``endpoint`` does not have."""
    names = ", ".join(each.name for each in STORAGE_CLASSES)
    return (
        f'storage_class = "{storage_class}" in [destination] is none that {endpoint} has. Leave it out, or take one of '
        f"those that the server has, at Amazon S3: {names}."
    )


def stored_as(spec: LocationSpec) -> dict[str, str]:
    """Storage class and encryption of an object of the dataset."""
    kept = {"x-amz-storage-class": spec.storage_class} if spec.storage_class else {}
    return kept | encrypted_as(spec)


def encrypted_as(spec: LocationSpec) -> dict[str, str]:
    """Encryption of whatever is written."""
    chosen = {
        "x-amz-server-side-encryption": spec.sse,
        "x-amz-server-side-encryption-aws-kms-key-id": spec.kms_key_id,
    }
    return {name: value for name, value in chosen.items() if value}


def expected_owner(spec: LocationSpec) -> dict[str, str]:
    """Of every request: the account whose bucket this must be, so that one that was taken over is refused."""
    return {"x-amz-expected-bucket-owner": spec.bucket_owner} if spec.bucket_owner else {}


def asked_of(operation: str, spec: LocationSpec) -> dict[str, str]:
    """What goes with a request of boto3."""
    if operation in WHOLE_OBJECTS:
        return stored_as(spec) | expected_owner(spec)
    return (encrypted_as(spec) if operation in OWN_OBJECTS else {}) | expected_owner(spec)
