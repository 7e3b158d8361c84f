"""Throw-away certificates for ports of one session: made in memory, gone with the process."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography import x509


class Credentials(NamedTuple):
    """A certificate and its key as PEM. Never written to a disk."""

    certificate: bytes
    key: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as browsers show it: ``AB:CD:...``, 95 characters."""
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.decode())).digest()
        return digest.hex(":").upper()


def throw_away(name: str, days: int, *, loopback: Sequence[str] = ()) -> Credentials:
    """A key and a certificate for it, signed by itself, valid for ``days``.

    ``loopback``: names and addresses that browsers reach it by. Without any it is its own authority, as two ends that
    hold the same one want it; a browser refuses an authority as a server.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not loopback, path_length=None if loopback else 0), critical=True)
    )
    if loopback:
        names = [_alternative(each) for each in loopback]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(server, critical=False)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Credentials(builder.sign(key, hashes.SHA256()).public_bytes(pem), secret)


def context(credentials: Credentials, side: ssl._SSLMethod) -> ssl.SSLContext:
    """TLS 1.3 that shows this certificate."""
    made = ssl.SSLContext(side)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    memory = os.memfd_create("session")  # load_cert_chain takes names of files only
    try:
        os.write(memory, credentials.certificate + credentials.key)
        made.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    return made


def _alternative(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
