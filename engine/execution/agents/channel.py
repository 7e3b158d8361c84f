"""Frames between a runner and its agents over mutual TLS: a length, then msgpack; nothing that comes is unpickled.

Both ends hold the same throw-away certificate, made for one session: who does not have its key is not heard.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from engine.certificates import Credentials, context, throw_away
from engine.decoding import msgpack_decoder
from engine.execution.agents.wire import Frame

_LENGTH = struct.Struct(">Q")
_LONGEST = 1 << 32
"""More than any message: what claims to be longer is no message."""

_BUFFER_BYTES = 1 << 20
_VALID_DAYS = 3650
"""A session may last for months; the key dies with it."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgpack_decoder(list[Frame]).decode


class ChannelClosedError(Exception):
    """The other end is gone."""


class Channel:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> list[Frame]:
        """The next message. Raises ChannelClosedError."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > _LONGEST:
                raise ChannelClosedError(f"a message of {length:,} bytes")
            return _decode(await self._reader.readexactly(length))
        except (OSError, EOFError, msgspec.DecodeError) as error:
            raise ChannelClosedError(str(error)) from error

    async def write(self, frames: Sequence[Frame]) -> None:
        """Send one message; waits while the other end is slow. Raises ChannelClosedError."""
        content = _encode(frames)
        try:
            self._writer.write(_LENGTH.pack(len(content)))
            self._writer.write(content)
            await self._writer.drain()
        except OSError as error:
            raise ChannelClosedError(str(error)) from error

    async def close(self) -> None:
        """End it when all is sent; no error if it is broken."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """End it at once."""
        self._writer.transport.abort()


def new_credentials() -> Credentials:
    """What both ends of a session hold."""
    return throw_away("xsync session", _VALID_DAYS)


async def listen(credentials: Credentials, joined: Callable[[Channel], Awaitable[None]]) -> asyncio.Server:
    """Listen on a free port of loopback; ``joined`` serves each connection. Raises OSError."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await joined(Channel(reader, writer))

    tls = _context(credentials, ssl.PROTOCOL_TLS_SERVER)
    return await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls, limit=_BUFFER_BYTES)


async def connect(port: int, credentials: Credentials) -> Channel:
    """Connect to the runner that listens on ``port`` of loopback. Raises OSError."""
    tls = _context(credentials, ssl.PROTOCOL_TLS_CLIENT)
    return Channel(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, limit=_BUFFER_BYTES))


def _context(credentials: Credentials, side: ssl._SSLMethod) -> ssl.SSLContext:
    """This certificate for both ends, and no other."""
    made = context(credentials, side)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cadata=credentials.certificate.decode())
    return made
