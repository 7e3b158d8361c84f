"""The least IAM policy that a migration needs (Service Authorization Reference, Amazon S3 and KMS). Pure."""

from __future__ import annotations

from typing import Any

from engine.locations.registry import bucket_and_prefix
from engine.model import LocationSpec, Migration


def iam_policy(migration: Migration) -> dict[str, Any]:
    """A policy document for the buckets of ``migration``; its list of statements is empty if there are none."""
    statements: list[dict[str, Any]] = []
    if _is_bucket(migration.source):
        statements += _source(migration)
    if _is_bucket(migration.destination):
        statements += _destination(migration)
    return {"Version": "2012-10-17", "Statement": statements}


def _source(migration: Migration) -> list[dict[str, Any]]:
    actions = ["s3:GetObject", *(["s3:GetObjectTagging"] if migration.options.object_tags == "PRESERVE" else [])]
    return [*_listing("Source", migration.source, ["s3:ListBucket"]), _objects("Source", migration.source, actions)]


def _destination(migration: Migration) -> list[dict[str, Any]]:
    """Deletion is needed for mirrors, and for entries that change their type; trials delete what they made."""
    actions = [
        "s3:PutObject",
        "s3:GetObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ]
    if _is_bucket(migration.source) and migration.options.object_tags == "PRESERVE":
        actions += ["s3:GetObjectTagging", "s3:PutObjectTagging"]
    on_bucket = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    if migration.options.preserve_deleted_files == "REMOVE":
        on_bucket.append("s3:GetBucketVersioning")
    destination = migration.destination
    key = destination.kms_key_id
    kms = (
        [
            {
                "Sid": "DestinationKey",
                "Effect": "Allow",
                "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
                "Resource": key,
            }
        ]
        if key is not None and key.startswith("arn:")
        else []
    )
    return [*_listing("Destination", destination, on_bucket), _objects("Destination", destination, actions), *kms]


def _listing(side: str, spec: LocationSpec, actions: list[str]) -> list[dict[str, Any]]:
    """What is asked of the bucket; its listing only below the prefix."""
    bucket, prefix = bucket_and_prefix(spec.url)
    listing: dict[str, Any] = {
        "Sid": f"{side}List",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": f"arn:aws:s3:::{bucket}",
    }
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}/*", f"{prefix}/"]}}
    others = [action for action in actions if action != "s3:ListBucket"]
    rest = {"Sid": f"{side}Bucket", "Effect": "Allow", "Action": others, "Resource": f"arn:aws:s3:::{bucket}"}
    return [listing, *([rest] if others else [])]


def _objects(side: str, spec: LocationSpec, actions: list[str]) -> dict[str, Any]:
    bucket, prefix = bucket_and_prefix(spec.url)
    below = f"{prefix}/*" if prefix else "*"
    return {"Sid": f"{side}Objects", "Effect": "Allow", "Action": actions, "Resource": f"arn:aws:s3:::{bucket}/{below}"}


def _is_bucket(spec: LocationSpec) -> bool:
    return spec.url.startswith("s3://")
