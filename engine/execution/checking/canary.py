"""What a canary would be called, said before one is written. Loads no adapter."""

from __future__ import annotations

from engine.locations.registry import bucket_and_prefix, file_path, scheme_of
from engine.model import LocationSpec
from engine.names import OWN_PREFIX, text_of


def canary_of(spec: LocationSpec) -> str:
    """What the files or objects of a canary are called, ``*`` for what is made up for each. Raises UsageError."""
    own = OWN_PREFIX.decode()
    if scheme_of(spec.url) == "file":
        return f"{text_of(file_path(spec.url)).rstrip('/')}/{own}*"
    bucket, prefix = bucket_and_prefix(spec.url)
    return f"s3://{'/'.join(part for part in (bucket, prefix) if part)}/{own}canary-*"
