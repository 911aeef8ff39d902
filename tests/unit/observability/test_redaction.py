"""Secrets and card numbers are hidden wherever they stand."""

from __future__ import annotations

import pytest

from aegis_worker.domain.card_numbers import luhn_valid
from aegis_worker.observability.redaction import HIDDEN, redact, redact_text


@pytest.mark.parametrize(
    "text",
    [
        "card 4242424242424242 declined",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "postgresql://aegis:hunter22@127.0.0.1/db hunter22"[:34],
        "Bearer aegis_test_0123456789abcdef",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ],
)
def test_a_string_loses_what_is_secret_in_it(text):
    clean = redact(text)
    assert HIDDEN in clean
    for secret in ("4242424242424242", "4242 4242", "4242-4242", "hunter22", "0123456789abcdef", "MfKQ9r8G"):
        assert secret not in clean


def test_values_under_secret_names_are_hidden_however_deep():
    assert redact({"a": [{"api_key": "x", "Authorization": "y", "amount": 5}]}) == {
        "a": [{"api_key": HIDDEN, "Authorization": HIDDEN, "amount": 5}]
    }


def test_ids_and_numbers_that_are_no_card_stay():
    text = "pay_019a1f2e4242424242424242aaaaaaaa 1234567890123 at 10.0.0.1:5432"
    assert redact(text) == text


def test_keys_and_passwords_are_found_wherever_they_stand():
    for secret in (
        "aegis_live_" + "k" * 40,
        "whsec_" + "w" * 40,
        "aegis-session=" + "s" * 40,
        "a://b:" + "p" * 40 + "@c",
    ):
        for text in (secret, f"x {secret}", f"{secret} x", f"'{secret}'", f"é{chr(10)}({secret})"):
            clean = redact({"why": text})["why"]
            assert HIDDEN in clean
            assert secret[-20:-3] not in clean


def test_a_name_with_a_card_number_in_it_is_hidden_too():
    assert list(redact({"card 4242424242424242": "x", "why of_all-this": "y"})) == [
        f"card {HIDDEN}",
        "why of_all-this",
    ]


def test_the_luhn_check():
    assert luhn_valid("4242424242424242")
    assert not luhn_valid("4242424242424241")


@pytest.mark.parametrize(
    "text",
    [
        "https://api.example/v1?api_key=hidden-from-you&page=2",
        "https://api.example/v1?page=2&access_token=hidden-from-you",
        "host=db password=hidden-from-you",
        "AEGIS_STRIPE_API_KEY='hidden-from-you'",
        "{'user': 'a', 'password': 'hidden-from-you'}",
        '{"client_secret":"hidden-from-you"}',
        "[('Authorization', 'Bearer hidden-from-you')]",
        "(b'Authorization', b'Basic hidden-from-you')",
        "send: b'GET / HTTP/1.1\\r\\nAuthorization: Bearer hidden-from-you\\r\\nHost: x'",
        "X-API-Key: hidden-from-you",
        "Set-Cookie: session=hidden-from-you; Path=/",
        "No such API key: sk_live_hidden-from-you",
        "seti_1Mabc_secret_hidden-from-you",
        "-----BEGIN EC PRIVATE KEY-----\nhidden\nfrom\nyou\n-----END EC PRIVATE KEY-----",
    ],
)
def test_what_stands_behind_the_name_of_a_secret_is_hidden_wherever_others_write_it(text: str) -> None:
    redacted = redact_text(text)
    assert HIDDEN in redacted
    assert "from" not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "AEGIS_SECRET must be set: at least 32 characters",
        "send Authorization: Bearer and an API key (`aegis keys create` makes one)",
        "AEGIS_OTLP_HEADERS must be a list such as authorization=Bearer KEY",
        "the password: too short",
        "idempotency_key=order-1042",
        "secret-42bdc116 seals",
    ],
)
def test_a_sentence_about_a_secret_stays(text: str) -> None:
    assert redact_text(text) == text
