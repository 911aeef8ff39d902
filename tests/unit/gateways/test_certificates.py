"""Certificates of webhooks: which are believed, and what they sign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from support.webhook_certificates import (
    BEGINS,
    ENDS,
    NAME,
    authority,
    middle,
    pem,
    signed,
    signer,
)

from aegis_worker.gateways.kit.certificates import Certificates, Untrusted, is_signed_with

NOW = BEGINS + timedelta(days=30)
URL = "https://api.paypal.com/v1/notifications/certs/CERT-1"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Whose authority is `root`."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(pem(authority()))
    return Certificates(roots, most=2)


def test_a_certificate_is_kept_once_it_was_verified(certificates: Certificates) -> None:
    assert certificates.get(URL, NOW) is None
    kept = certificates.keep(URL, pem(signer()), (NAME,), NOW)
    assert certificates.get(URL, NOW) == kept == signer()
    assert certificates.get(URL + "2", NOW) is None


def test_a_certificate_may_come_with_who_vouches_for_it(certificates: Certificates) -> None:
    chain = pem(signer("of.the.middle", "middle"), middle("middle"))
    assert certificates.keep(URL, chain, (NAME, "of.the.middle"), NOW) == signer("of.the.middle", "middle")


@pytest.mark.parametrize(
    ("given", "names", "days"),
    [
        (lambda: pem(signer(by="another")), (NAME,), 30),
        (lambda: pem(signer("evil.example")), (NAME,), 30),
        (lambda: pem(signer()), (NAME,), -1),
        (lambda: pem(signer()), (NAME,), 400),
        (lambda: pem(signer("of.the.middle", "middle")), ("of.the.middle",), 30),
        (lambda: pem(signer("below.a.signer", NAME), signer()), ("below.a.signer",), 30),
        (lambda: pem(authority("another")), ("another",), 30),
        (lambda: b"no certificate", (NAME,), 30),
        (lambda: b"", (NAME,), 30),
        (lambda: pem(*[signer()] * 9), (NAME,), 30),
        (lambda: pem(signer()) * 40, (NAME,), 30),
    ],
)
def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    certificates: Certificates, given: Callable[[], bytes], names: tuple[str, ...], days: int
) -> None:
    with pytest.raises(Untrusted):
        certificates.keep(URL, given(), names, BEGINS + timedelta(days=days))
    assert certificates.get(URL, NOW) is None


def test_what_was_believed_is_forgotten_when_it_ends(certificates: Certificates) -> None:
    certificates.keep(URL, pem(signer()), (NAME,), NOW)
    assert certificates.get(URL, ENDS + timedelta(seconds=1)) is None


def test_few_are_kept(certificates: Certificates) -> None:
    for number in range(3):
        certificates.keep(f"{URL}{number}", pem(signer()), (NAME,), NOW)
    assert [certificates.get(f"{URL}{number}", NOW) is None for number in range(3)] == [True, True, False]


def test_a_signature_is_of_its_message_and_of_its_key() -> None:
    signature = signed(b"id|time|webhook|7")
    assert is_signed_with(signer(), b"id|time|webhook|7", signature)
    assert not is_signed_with(signer(), b"id|time|webhook|8", signature)
    assert not is_signed_with(signer("evil.example"), b"id|time|webhook|7", signature)
    assert not is_signed_with(signer(), b"id|time|webhook|7", b"")


def test_few_are_fetched_in_a_minute(certificates: Certificates) -> None:
    assert [certificates.may_fetch(NOW) for _ in range(8)] == [True] * 6 + [False] * 2
    assert certificates.may_fetch(NOW + timedelta(minutes=1))
