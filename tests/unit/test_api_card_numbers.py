"""Card numbers are found wherever they hide, and ids are not mistaken for them."""

from __future__ import annotations

import json
import random
import uuid

import pytest

from aegis_api import card_numbers

VISA, MASTERCARD, AMEX = "4111111111111111", "5555555555554444", "378282246310005"
NUMBERS = (
    VISA,
    MASTERCARD,
    AMEX,
    "2223003122003222",
    "6011000990139424",
    "30569309025904",
    "3530111333300000",
)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_card_number_is_found(number: str) -> None:
    assert card_numbers.found_in(number)


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111_1111_1111_1111",
        "order 12 4111 1111 1111 1111 12 29",
        "card4111111111111111",
        "cafe4111111111111111",
        "tok_4111111111111111",
        "https://shop.example/?card=4111111111111111&x=1",
        "\uff14" + "\uff11" * 15,  # full-width digits
        "4111\u00a01111\u00a01111\u00a01111",
        "3782 822463 10005",
    ],
)
def test_a_card_number_is_found_in_other_text_and_spellings(text: str) -> None:
    assert card_numbers.found_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "order-1042",
        "4111111111111112",  # fails the Luhn check
        "411111111111",  # 12 digits
        "20261121090000123",  # a time: no card begins with 20
        "+49 30 901820 12345",
        "0000000000000000",
        "41111111111111110000000000",  # a longer number is not a card number
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert not card_numbers.found_in(text)


def test_random_ids_are_never_mistaken_for_card_numbers() -> None:
    rng = random.Random(20261121)
    ids = [uuid.UUID(int=rng.getrandbits(128), version=4) for _ in range(20_000)]
    mistaken = [str(one) for one in ids if card_numbers.found_in(str(one)) or card_numbers.found_in(one.hex)]
    assert mistaken == []


def test_a_document_tells_where_each_card_number_is_without_repeating_it() -> None:
    document = {
        "reference": VISA,
        "metadata": {"a/b": f"x {MASTERCARD}", "n": int(AMEX), "f": float(VISA), VISA: "in the key", "ok": 1},
        "list": [{"deep": VISA}, "fine"],
        "amount": 1999,
    }
    assert card_numbers.pointers_to(document) == [
        "/list/0/deep",
        "/metadata",
        "/metadata/a~1b",
        "/metadata/f",
        "/metadata/n",
        "/reference",
    ]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_the_quick_look_never_misses_what_the_thorough_one_finds(number: str, ensure_ascii: bool) -> None:
    full_width = number.translate({ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)})
    for value in (number, int(number), float(number), full_width, "-".join(number)):
        body = json.dumps({"a": value}, ensure_ascii=ensure_ascii).encode()
        assert card_numbers.pointers_to({"a": value}) == ["/a"]
        assert card_numbers.may_hold_one(body)


def test_text_with_a_card_number_is_shown_masked() -> None:
    assert card_numbers.masked("/v1/payments/x") == "/v1/payments/x"
    assert VISA not in card_numbers.masked(f"/v1/payments/{VISA}")


@pytest.mark.parametrize("name", ["cvv", "CVC2", "card_cvc", "security_code", "csc"])
@pytest.mark.parametrize("value", ["737", 8293])
def test_a_security_code_is_found_under_its_name(name, value):
    body = {"metadata": {name: value}}
    assert card_numbers.may_hold_one(json.dumps(body).encode())
    assert card_numbers.pointers_to(body) == [f"/metadata/{name}"]


@pytest.mark.parametrize(
    "text", ["cvv: 737", "CVC 8293", "security code=737", "cvv2 is not here, 737 is", "CSC 101, not here"]
)
def test_a_security_code_is_found_after_its_name(text):
    assert card_numbers.found_in(text) is ("not here" not in text)


@pytest.mark.parametrize(
    "body", [{"cvv": True}, {"cvv_result": "M"}, {"room": "737"}, {"cvc_check": "pass", "n": 12345}]
)
def test_what_is_no_security_code_is_no_card_data(body):
    assert card_numbers.pointers_to({"metadata": body}) == []
