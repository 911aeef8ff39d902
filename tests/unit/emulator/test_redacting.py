"""What the emulator keeps for people holds no key, no card number and no security code."""

from __future__ import annotations

import pytest

from aegis_worker.emulator import redacting


def test_headers_that_prove_who_is_asking_lose_their_value() -> None:
    given = {"Authorization": "Bearer sk_1", "x-api-key": "k", "Cookie": "s=1", "Idempotency-Key": "o-1"}
    assert redacting.headers(given) == {
        "Authorization": "[redacted]",
        "x-api-key": "[redacted]",
        "Cookie": "[redacted]",
        "Idempotency-Key": "o-1",
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('{"number":"4242424242424242"}', '{"number":"[redacted]"}'),
        ("card[number]=4242+4242+4242+4242&x=1", "card[number]=[redacted]&x=1"),
        ("card%5Bnumber%5D=5555555555554444", "card%5Bnumber%5D=[redacted]"),
        ("4242 4242 4242 4242", "[redacted]"),
        ("4242-4242-4242-4242", "[redacted]"),
        ('{"cvc": "123"}', '{"cvc": "[redacted]"}'),
        ('{"security_code":1234}', '{"security_code":[redacted]}'),
        ("card[cvc]=123&a=b", "card[cvc]=[redacted]&a=b"),
        ("payment_method_data%5Bcard%5D%5Bcvc%5D=123", "payment_method_data%5Bcard%5D%5Bcvc%5D=[redacted]"),
        (
            "<credit-card><number>4111111111111111</number><cvv>123</cvv></credit-card>",
            "<credit-card><number>[redacted]</number><cvv>[redacted]</cvv></credit-card>",
        ),
        ('{"access_token": "A21AA"}', '{"access_token": "[redacted]"}'),
    ],
)
def test_bodies_lose_card_numbers_security_codes_and_access_tokens(given: str, kept: str) -> None:
    assert redacting.body(given.encode()) == kept


@pytest.mark.parametrize(
    "given", ['{"amount":1999}', '{"reference":"4242424242424241"}', '{"at":1732712345.5}']
)
def test_what_is_no_card_stays_as_it_is(given: str) -> None:
    assert redacting.body(given.encode()) == given


def test_a_body_that_is_no_text_is_kept_as_far_as_it_can_be_read() -> None:
    assert redacting.body(b"\xff{") == "\ufffd{"
