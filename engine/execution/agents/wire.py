"""What a runner and its agents say to each other: small frames whose payloads are msgpack, never pickles."""

from __future__ import annotations

from typing import Literal, TypedDict

import msgspec

from engine.decoding import msgpack_decoder
from engine.transfer.units import AgentConfig, AgentProgress, Unit, UnitOutcome

LEASE_SECONDS = 30.0
"""How long an agent may write after it last heard from its runner."""

RENEW_SECONDS = 5.0
"""How often a runner renews the lease of its agents."""

PROGRESS_SECONDS = 0.5
"""How often an agent reports."""

LIMITED_SECONDS = 0.25
"""How often it reports while its bandwidth is limited: what it does not use is for the others."""

Word = Literal["hello", "progress", "outcome", "broken", "unit", "pause", "resume", "release", "lease", "limit", "stop"]


class Frame(TypedDict):
    """One message. ``word`` says what ``data`` is; hello: the agent's name; broken: unit id and error.

    limit: the agent's share of the bandwidth limit in bytes/s, or None.
    """

    word: Word
    data: bytes


encode = msgspec.msgpack.Encoder().encode
decode_unit = msgpack_decoder(Unit).decode
decode_outcome = msgpack_decoder(UnitOutcome).decode
decode_progress = msgpack_decoder(AgentProgress).decode
decode_config = msgpack_decoder(AgentConfig).decode
decode_limit = msgpack_decoder(float | None).decode
decode_broken = msgpack_decoder(tuple[int, int, str]).decode
