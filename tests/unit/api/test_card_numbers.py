"""Where card data stands in a JSON document, and what a problem document repeats."""

from __future__ import annotations

import json

import pytest
from support.disguised_card_numbers import AMEX, DISGUISED_NUMBERS, MASTERCARD, NUMBERS, VISA
from support.disguised_security_codes import CODE_FIELDS, DISGUISED_CODES

from aegis_api.http.shown import shown
from aegis_worker.domain.card_pointers import may_hold_one, pointers_to


def test_a_document_tells_where_each_card_number_is_without_repeating_it() -> None:
    document = {
        "reference": VISA,
        "metadata": {"a/b": f"x {MASTERCARD}", "n": int(AMEX), "f": float(VISA), VISA: "in the key", "ok": 1},
        "list": [{"deep": VISA}, "fine"],
        "amount": 1999,
    }
    assert pointers_to(document) == [
        "/list/0/deep",
        "/metadata",
        "/metadata/a~1b",
        "/metadata/f",
        "/metadata/n",
        "/reference",
    ]


@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("text", [*DISGUISED_NUMBERS, *DISGUISED_CODES])
def test_the_quick_look_never_misses_what_the_thorough_one_finds(text: str, ensure_ascii: bool) -> None:
    for document in ({"a": text}, {text: 1}):
        assert pointers_to(document)
        assert may_hold_one(json.dumps(document, ensure_ascii=ensure_ascii).encode())


@pytest.mark.parametrize("number", NUMBERS)
def test_a_card_number_is_found_as_a_json_number(number: str) -> None:
    exact = [float(number)] if len(number) <= 16 else []  # a longer one is another number as a float
    for value in (int(number), *exact):
        assert pointers_to({"a": value}) == ["/a"]
        assert may_hold_one(json.dumps({"a": value}).encode())


@pytest.mark.parametrize("name", CODE_FIELDS)
@pytest.mark.parametrize("value", ["737", 8293, " 737 ", "٧٣٧", "7 3 7", {"value": "737"}, ["737"]])
def test_a_security_code_is_found_under_its_name(name: str, value: object) -> None:
    body = {"metadata": {name: value}}
    assert may_hold_one(json.dumps(body).encode())
    assert len(pointers_to(body)) == 1


@pytest.mark.parametrize(
    "parts",
    [
        {"card_1": "4111", "card_2": "1111", "card_3": "1111", "card_4": "1111"},
        {"pan_a": "41111111", "pan_b": "11111111"},
        {"card1": 4111, "card2": 1111, "card3": 1111, "card4": 1111},
    ],
)
def test_a_card_number_in_parts_under_names_of_cards_is_found(parts: dict[str, object]) -> None:
    assert pointers_to({"metadata": parts}) == ["/metadata"]


@pytest.mark.parametrize(
    "body",
    [
        {"cvv": True},
        {"cvv_result": "M"},
        {"room": "737"},
        {"cvc_check": "pass", "n": 12345},
        {"status_code": 200, "bank_code": "737", "promo_code": 1234},
        {"score": 0.4111111111111111, "card_last4": "1111", "card_exp": "1229"},
        {"store": "4111", "till": "1111", "receipt": "1111", "clerk": "1111"},
    ],
)
def test_what_is_no_security_code_and_no_number_is_no_card_data(body: dict[str, object]) -> None:
    assert pointers_to({"metadata": body}) == []


def test_a_path_or_name_is_repeated_without_parts_that_could_be_card_data() -> None:
    payment = "/v1/payments/pay_019abc00000070008000000000000001/sync"
    assert shown(payment) == payment
    assert shown("/v1/events/evt_019abc00000070008000000000000001_12/redeliver").endswith("_12/redeliver")
    assert shown(f"/v1/payments/{VISA}") == "/v1/payments/hidden"
    assert shown("/v1/cvv123") == "/v1/hidden"
    assert shown("/".join(VISA)) == "hidden"
    assert shown("\uff14\uff11\uff11\uff11") == "hidden"
    assert shown("customer_email") == "customer_email"
