"""The certificate that signs events, and the emulator's own authority that has issued it.

PayPal signs with RSA over `id|time|webhook id|checksum`, and names the certificate by an address:
developer.paypal.com/api/rest/webhooks/rest. Here both lie beside the ledger, so that they outlive the process.
"""

from __future__ import annotations

import base64
import uuid
import zlib
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .shapes import at

_HOST = "messageverificationcerts.paypal.com"
_ALGORITHM = "SHA256withRSA"
_HOLDS = timedelta(days=3650)
_KEY_BITS = 2048


class Authority:
    """Signs events. `root`: the certificate (PEM) that whoever checks them has to trust; it also lies at `root_file`."""

    def __init__(self, ledger: Path, base_url: str) -> None:
        self.root_file = ledger.with_suffix(".root.pem")
        leaf_file, key_file = ledger.with_suffix(".events.pem"), ledger.with_suffix(".events.key")
        if not key_file.exists():
            _issue(self.root_file, leaf_file, key_file)
        self.root, self._leaf = self.root_file.read_bytes(), leaf_file.read_bytes()
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise AssertionError("unreachable: the key of events is one for RSA")
        self._key = key
        fingerprint = x509.load_pem_x509_certificate(self._leaf).fingerprint(hashes.SHA256()).hex()
        self._name = f"CERT-{fingerprint[:8]}-{fingerprint[8:16]}-{fingerprint[16:24]}"
        self._base_url, self._ledger = base_url, ledger

    @cached_property
    def stranger(self) -> Authority:
        """One whom nobody trusts, for events that are forged."""
        return Authority(self._ledger.with_name(f"{self._ledger.stem}-stranger"), self._base_url)

    def certificate_at(self, name: str) -> bytes | None:
        """The certificate (PEM) of this name; None for another name."""
        return self._leaf if name == self._name else None

    def headers(self, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The headers of an event that is sent at a time, in seconds since 1970, to the webhook with this id."""
        transmission, when = str(uuid.uuid4()), at(timestamp)
        message = f"{transmission}|{when}|{webhook_id}|{zlib.crc32(body)}".encode()
        signature = self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return {
            "PAYPAL-TRANSMISSION-ID": transmission,
            "PAYPAL-TRANSMISSION-TIME": when,
            "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signature).decode(),
            "PAYPAL-CERT-URL": f"{self._base_url}/v1/notifications/certs/{self._name}",
            "PAYPAL-AUTH-ALGO": _ALGORITHM,
        }

    def signed(self, webhook_id: str, timestamp: int, body: bytes) -> tuple[dict[str, str], bytes]:
        """As the sender of webhooks wants it."""
        return self.headers(webhook_id, timestamp, body), body


def _issue(root_file: Path, leaf_file: Path, key_file: Path) -> None:
    root_key = ec.generate_private_key(ec.SECP256R1())
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    root_name = _named("Root of an emulator, which proves nothing")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _begun(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _begun(_named(_HOST), root_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    root_file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    leaf_file.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    # The key comes last and at once: where it is, all three are there.
    unfinished = key_file.with_name(f"{key_file.name}.tmp")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    unfinished.replace(key_file)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _HOLDS)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
