"""A throw-away certificate authority: made at start, used for one certificate, its key forgotten.

`ssl` reads keys from files only. So the key of the server's certificate is written once, encrypted under a random
passphrase that never leaves memory, into a private folder that is gone before the first connection.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LOOPBACK: Final = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
_LIFETIME: Final = dt.timedelta(days=30)
_BACKDATED: Final = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the server proves itself with, and what a client must trust to believe it."""

    context: ssl.SSLContext
    ca_pem: str


def make_identity(suffix: str) -> Identity:
    """A new authority and a server certificate for `*.suffix`, localhost, 127.0.0.1 and ::1, good for 30 days.

    The authority is bound by name constraints to exactly these names, so that trusting it gives nothing else away.
    """
    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("secretscan embedded vault, throw-away CA")
    start = dt.datetime.now(dt.UTC) - _BACKDATED
    names = [x509.DNSName(f"*.{suffix}"), x509.DNSName("localhost"), *(x509.IPAddress(one) for one in _LOOPBACK)]
    allowed = [
        x509.DNSName(suffix),
        x509.DNSName("localhost"),
        *(x509.IPAddress(ipaddress.ip_network(one)) for one in _LOOPBACK),
    ]
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), start)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=allowed, excluded_subtrees=None), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        _builder(_name("secretscan embedded vault"), ca_name, leaf_key.public_key(), start)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(leaf_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return Identity(_context(leaf, leaf_key), ca.public_bytes(Encoding.PEM).decode("ascii"))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFETIME)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _context(leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    passphrase = secrets.token_bytes(32).hex()
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # mkdtemp makes the folder 0700, so nobody else reads even the encrypted key.
    with tempfile.TemporaryDirectory(prefix="secretscan-vault-") as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(leaf.public_bytes(Encoding.PEM) + sealed)
        context.load_cert_chain(path, password=passphrase)
    return context
