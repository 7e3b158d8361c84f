"""A bucket, or the keys below a prefix, as every part of the adapter knows it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from botocore.exceptions import ClientError

from engine.errors import DestinationError, LocationError
from engine.locations.base import Capabilities
from engine.locations.s3_client import Connection
from engine.locations.s3_errors import code_of
from engine.locations.s3_objects import Objects
from engine.model import LocationSpec
from engine.names import OWN_PREFIX, NameError_, check_key, key_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_KEY_BYTES = 1_024
"""S3 User Guide, Naming objects: UTF-8 bytes of a key, prefix included."""

MAX_PARTS = 10_000
AWS_LARGEST = 9_000 * (5 << 30)
"""Amazon S3 takes 48.8 TiB in parts of at most 5 GiB; no file is cut into more than 9,000."""

OTHERS_LARGEST = 5 << 40
"""What other servers promise: the limit that Amazon S3 had until the end of 2025."""

_T = TypeVar("_T")


class Bucket:
    """The connection to it, its limits, and how paths become keys. For many threads."""

    def __init__(self, spec: LocationSpec) -> None:
        self.url = spec.url
        self.spec = spec
        self.connection = Connection(spec)
        self._bucket = self.connection.bucket
        self._key_prefix = self.connection.key_prefix
        room = MAX_KEY_BYTES - len(self._key_prefix.encode())
        self.capabilities = Capabilities(
            scheme="s3",
            transport="objects",
            stable_inodes=False,
            checks_checksums=True,
            real_folders=False,
            max_file_bytes=OTHERS_LARGEST if spec.endpoint_url else AWS_LARGEST,
            max_parts=MAX_PARTS,
            max_key_bytes=room,
            max_name_bytes=room,
            network=True,
        )
        self._identity: str | None = None
        self._objects = Objects(self.connection, spec)

    def lose_backslashes(self) -> None:
        """Take it from here on that the server makes a slash of a backslash: no such key is written."""
        self.capabilities = msgspec.structs.replace(self.capabilities, keeps_backslashes=False)

    def _ask(self, kind: type[LocationError], doing: str, call: Callable[[S3Client], _T]) -> _T:
        return self.connection.ask(kind, doing, call)

    def _own_place(self, use: str, end: str = "") -> dict[str, Any]:
        """Bucket and Key of an object that nobody else has."""
        name = f"{OWN_PREFIX.decode()}{use}-{secrets.token_hex(8)}{end}"
        return {"Bucket": self._bucket, "Key": self._key_prefix + name}

    @staticmethod
    def _take_back(client: S3Client, place: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        """Delete what was ``made`` at ``place``: where versions are kept, that one, or hide it without the right to."""
        if version := made.get("VersionId"):
            try:
                client.delete_object(**place, VersionId=version)
                return
            except ClientError as error:
                if code_of(error) != "AccessDenied":
                    raise
        client.delete_object(**place)

    def _key(self, path: bytes) -> str:
        """The whole key; refuses what would lie outside the prefix or cannot be a key."""
        try:
            key = key_of(path)
        except NameError_ as error:
            raise DestinationError(str(error)) from error
        reason = "empty path" if not path else check_key(key, self.capabilities.max_key_bytes)
        if reason:
            raise DestinationError(f"{self.url} cannot hold this path: {reason}")
        return self._key_prefix + key
