"""Webhooks that are signed with a certificate: who vouches for it, and whether it signed a message. Pure.

The certificate's URL comes with the webhook, so anybody may have written it. Whoever uses this fetches nothing but what
the gateway's own hosts serve, and believes no certificate that `trusted` did not return.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

Certificate: TypeAlias = x509.Certificate
# A gateway has one or two at a time, and an attacker may name any.
_MOST_FETCHES, _FETCHES_WITHIN = 6, timedelta(minutes=1)
_LARGEST_PEM, _MOST_IN_A_CHAIN = 32_768, 8


class Untrusted(ValueError):
    """A certificate that nobody vouches for, of another name, or out of its time. The message says which."""


class CertificateNeeded(Exception):
    """A webhook can't be verified here, because this process does not have its certificate.

    `headers`: those that whoever verifies it needs.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__("a worker has to verify it")
        self.headers = headers


class Certificates:
    """The certificates that a process has verified, by their URL. Several threads may use it, because each step reads or
    replaces one entry as a whole.

    `roots`: a PEM file of who vouches for them. At most `most` are kept, because a gateway uses few at a time.
    """

    def __init__(self, roots: Path, *, most: int = 16) -> None:
        self._roots, self._most = roots, most
        self._store: Store | None = None
        self._known: dict[str, Certificate] = {}
        self._fetched_at: deque[datetime] = deque(maxlen=_MOST_FETCHES)

    def get(self, url: str, at: datetime) -> Certificate | None:
        """The certificate of this URL; None where it has to be fetched, because it is not known or not valid any more."""
        found = self._known.get(url)
        return found if found is not None and _is_valid(found, at) else None

    def may_fetch(self, at: datetime) -> bool:
        """Whether one more may be fetched now; if so, it counts. Whoever floods us must not have us flood the gateway."""
        full = len(self._fetched_at) == _MOST_FETCHES
        if full and at - self._fetched_at[0] < _FETCHES_WITHIN:
            return False
        self._fetched_at.append(at)
        return True

    def keep(self, url: str, pem: bytes, names: Collection[str], at: datetime) -> Certificate:
        """Verify what was fetched from the URL, and keep it. Raises Untrusted. See `trusted` for the rest."""
        certificate = trusted(pem, self._vouching(), names, at)
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[url] = certificate
        return certificate

    def _vouching(self) -> Store:
        if self._store is None:
            self._store = Store(x509.load_pem_x509_certificates(self._roots.read_bytes()))
        return self._store


def trusted(pem: bytes, roots: Store, names: Collection[str], at: datetime) -> Certificate:
    """The first certificate of a PEM file, for which one of the roots vouches, directly or by the others in the file.

    It must be of one of the DNS `names`, and valid at the time. Raises Untrusted. Rules: RFC 5280 as browsers apply it.
    """
    if len(pem) > _LARGEST_PEM:
        raise Untrusted("a certificate that is too large")
    try:
        leaf, *others = x509.load_pem_x509_certificates(pem)
    except ValueError as problem:
        raise Untrusted("no certificate in PEM") from problem
    if len(others) >= _MOST_IN_A_CHAIN:
        raise Untrusted("a chain that is too long")
    policy = PolicyBuilder().store(roots).time(at.astimezone(UTC).replace(tzinfo=None))
    problems = []
    for name in names:
        try:
            policy.build_server_verifier(x509.DNSName(name)).verify(leaf, others)
        except (VerificationError, UnsupportedAlgorithm, ValueError) as problem:
            problems.append(f"{name}: {problem}")
            continue
        return leaf
    raise Untrusted(f"not vouched for: {'; '.join(problems)[:300]}")


def is_signed_with(certificate: Certificate, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the certificate's of the message: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2)."""
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        return False
    try:
        key.verify(signature, message, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _is_valid(certificate: Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
