"""Frames between a runner and its agents over mutual TLS: a length, then msgpack; nothing that comes is unpickled.

Both ends hold the same throw-away certificate, made for one session: who does not have its key is not heard.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from engine.execution.agents.wire import Frame

_LENGTH = struct.Struct(">Q")
_LONGEST = 1 << 32
"""More than any message: what claims to be longer is no message."""

_BUFFER_BYTES = 1 << 20
_VALID_DAYS = 3650
"""A session may last for months; the key dies with it."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Frame]).decode


class Credentials(NamedTuple):
    """A certificate and its key as PEM. Never written to a disk."""

    certificate: bytes
    key: bytes


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
    """A key and a certificate for it, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "xsync session")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Credentials(certificate.public_bytes(pem), secret)


async def listen(credentials: Credentials, joined: Callable[[Channel], Awaitable[None]]) -> asyncio.Server:
    """Listen on a free port of loopback; ``joined`` serves each connection. Raises OSError."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await joined(Channel(reader, writer))

    context = _context(credentials, ssl.PROTOCOL_TLS_SERVER)
    return await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=context, limit=_BUFFER_BYTES)


async def connect(port: int, credentials: Credentials) -> Channel:
    """Connect to the runner that listens on ``port`` of loopback. Raises OSError."""
    context = _context(credentials, ssl.PROTOCOL_TLS_CLIENT)
    return Channel(*await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=_BUFFER_BYTES))


def _context(credentials: Credentials, side: ssl._SSLMethod) -> ssl.SSLContext:
    """TLS 1.3 with this certificate for both ends, and no other."""
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=credentials.certificate.decode())
    memory = os.memfd_create("session")  # load_cert_chain takes names of files only
    try:
        os.write(memory, credentials.certificate + credentials.key)
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    return context
