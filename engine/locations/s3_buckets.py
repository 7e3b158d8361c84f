"""The buckets that credentials may list, for somebody who does not know a name by heart."""

from __future__ import annotations

import msgspec
from botocore.exceptions import ClientError

from engine.errors import LocationError, SourceError
from engine.locations.s3_client import Connection
from engine.locations.s3_errors import code_of
from engine.model import LocationSpec

_DENIED = frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled"})


def bucket_names(spec: LocationSpec) -> list[str]:
    """Names, in order, of all buckets at the endpoint of ``spec``, whatever its URL names; asked for once.

    Raises LocationError: an account may well be allowed to use a bucket and not to list any.
    """
    connection = Connection(msgspec.structs.replace(spec, url="s3://-"))
    try:
        found = connection.ask(
            SourceError, "the buckets cannot be listed", lambda client: client.list_buckets(), once=True
        )
    except LocationError as error:
        if isinstance(error.__cause__, ClientError) and code_of(error.__cause__) in _DENIED:
            raise SourceError("these credentials may not list buckets (s3:ListAllMyBuckets).") from error
        raise
    finally:
        connection.close()
    return sorted(each["Name"] for each in found.get("Buckets", []))
