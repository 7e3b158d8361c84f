"""What does not fit into an object's metadata goes into a side object, which is written before the object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from engine.locations.extras import Extras, encode, placed, side_path
from engine.locations.posix_files import XATTRS
from engine.locations.s3_options import encrypted_as
from engine.names import check_key, key_of
from engine.transfer.crt import crc64nvme
from engine.transfer.proof import proof_of
from engine.transfer.retry import Fault, Kind, SendError
from engine.transfer.shared import Shared
from engine.transfer.target import quoted


def with_extras(
    shared: Shared,
    path: bytes,
    metadata: Mapping[str, str],
    extras: Extras,
    allowed: Callable[[], bool],
    *,
    forgotten: bool = False,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """``metadata`` with ``extras``, and what could not be kept of them. Raises SendError.

    ``forgotten``: the store keeps no metadata of this object, so that all of it goes aside.
    """
    found, side = placed(metadata, encode(extras))
    if forgotten:
        side = encode(msgspec.structs.replace(extras, metadata=dict(metadata))).encode()
    if not side:
        return found, ()
    if not put_side(shared, side_path(path), side, allowed):
        return placed(metadata, "")[0], (XATTRS,)
    return found, ()


def put_side(shared: Shared, path: bytes, side: bytes, allowed: Callable[[], bool]) -> bool:
    """Write a side object at ``path``; False if there can be no such key. Raises SendError."""
    key = key_of(path, shared.config.options.invalid_names)
    can = shared.destination.capabilities
    if check_key(key, can.max_key_bytes) or (b"\\" in path and not can.keeps_backslashes):
        return False
    if not allowed():
        raise SendError(Fault(Kind.CANCELLED, "stopped", "the unit has to stop"))
    body = memoryview(side)
    proof = proof_of(shared.config.server_checks, body, crc64nvme(body))
    headers = [
        ("content-length", str(len(side))),
        proof.header,
        *encrypted_as(shared.config.destination).items(),
    ]
    shared.sender.put(shared.target.base + quoted(key), headers, [body])
    return True
