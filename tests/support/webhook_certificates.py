"""Certificates that sign webhooks, and the authority that vouches for them: keys are made once, because that takes long."""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "messageverificationcerts.paypal.com"
BEGINS, ENDS = datetime(2026, 9, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)


@cache
def key(whose: str) -> RSAPrivateKey:
    """The key of an authority or of a signer."""
    return generate_private_key(public_exponent=65537, key_size=2048)


@cache
def authority(whose: str = "root") -> x509.Certificate:
    """A certificate that vouches for others, and for itself."""
    return _certificate(whose, whose, is_authority=True)


@cache
def signer(name: str = NAME, by: str = "root") -> x509.Certificate:
    """A certificate that signs webhooks."""
    return _certificate(name, by)


@cache
def middle(whose: str, by: str = "root") -> x509.Certificate:
    """An authority for which another one vouches."""
    return _certificate(whose, by, is_authority=True)


def pem(*certificates: x509.Certificate) -> bytes:
    """As a gateway serves them."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def signed(message: bytes, whose: str = NAME) -> bytes:
    """The signature of a message."""
    return key(whose).sign(message, PKCS1v15(), SHA256())


def transmission(
    body: bytes, webhook_id: str, at: datetime, url: str, *, whose: str = NAME, id_: str = "t-1"
) -> dict[str, str]:
    """The headers of a webhook of PayPal's."""
    time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    signature = signed(f"{id_}|{time}|{webhook_id}|{zlib.crc32(body)}".encode(), whose)
    return {
        "Paypal-Transmission-Id": id_,
        "Paypal-Transmission-Time": time,
        "Paypal-Transmission-Sig": base64.b64encode(signature).decode(),
        "Paypal-Cert-Url": url,
        "Paypal-Auth-Algo": "SHA256withRSA",
    }


def _certificate(whose: str, by: str, *, is_authority: bool = False) -> x509.Certificate:
    public, issuer = key(whose).public_key(), key(by).public_key()
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(whose))
        .issuer_name(_named(by))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINS)
        .not_valid_after(ENDS + timedelta(days=1 if is_authority else 0))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(usage, critical=True)
    )
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(whose)]), critical=False)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(key(by), SHA256())


def _named(whose: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, whose)])
