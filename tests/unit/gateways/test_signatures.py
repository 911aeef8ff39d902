"""Signatures of gateways' webhooks: of the secret and the bytes, or none."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from aegis_worker.gateways.kit.signatures import is_recent, is_signed, signed_at_s

SIGNED = hmac.new(b"whsec", b"1.{}", hashlib.sha256).hexdigest()


def test_the_right_secret_over_the_same_bytes_is_a_signature() -> None:
    assert is_signed(["whsec"], b"1.{}", [SIGNED])


@pytest.mark.parametrize("secrets", [["whsec", "older"], ["newer", "whsec"]])
@pytest.mark.parametrize("given", [[SIGNED, "0" * 64], ["0" * 64, SIGNED]])
def test_while_a_secret_is_exchanged_one_of_several_signatures_under_one_of_several_secrets_is_enough(
    secrets: list[str], given: list[str]
) -> None:
    assert is_signed(secrets, b"1.{}", given)


def test_without_a_secret_or_without_a_signature_nothing_is_signed() -> None:
    assert not is_signed([], b"1.{}", [SIGNED])
    assert not is_signed(["whsec"], b"1.{}", [])


@pytest.mark.parametrize(
    ("secret", "message", "given"),
    [
        ("other", b"1.{}", SIGNED),
        ("whsec", b"1.{ }", SIGNED),
        ("whsec", b"1.{}", SIGNED.upper()),
        ("whsec", b"1.{}", SIGNED[:-1]),
        ("whsec", b"1.{}", ""),
        ("whsec", b"1.{}", "é" * 64),
        ("", b"1.{}", hmac.new(b"", b"1.{}", hashlib.sha256).hexdigest()),
    ],
)
def test_anything_else_is_none(secret: str, message: bytes, given: str) -> None:
    assert not is_signed([secret], message, [given])


@pytest.mark.parametrize(("text", "at_s"), [("0", 0), ("1800000000", 1_800_000_000)])
def test_a_time_is_whole_seconds(text: str, at_s: int) -> None:
    assert signed_at_s(text) == at_s


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e9", " 1", "9" * 13])
def test_what_is_no_time_is_none(text: str) -> None:
    assert signed_at_s(text) is None


def test_a_signature_is_recent_within_the_tolerance_on_both_sides() -> None:
    assert [is_recent(at_s, 1000.0, 300) for at_s in (699, 700, 1000, 1300, 1301)] == [
        False,
        True,
        True,
        True,
        False,
    ]
