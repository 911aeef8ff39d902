"""Test cards by number: each stands for a card that the emulator has, and what is no card is refused as at the gateway."""

from __future__ import annotations

import pytest

from aegis_worker.emulator import raw_cards
from aegis_worker.emulator.adyen import cards as adyen_cards
from aegis_worker.emulator.adyen import numbers as adyen
from aegis_worker.emulator.replies import Refusal
from aegis_worker.emulator.stripe import cards as stripe_cards
from aegis_worker.emulator.stripe import numbers as stripe

AT_STRIPE = {"number": "4242424242424242", "exp_month": "3", "exp_year": "2040", "cvc": "737"}
AT_ADYEN = {
    "type": "scheme",
    "number": "4111111111111111",
    "expiryMonth": "03",
    "expiryYear": "2040",
    "cvc": "737",
}


def test_each_of_stripes_numbers_is_one_of_its_cards() -> None:
    for number in stripe.NUMBERS:
        assert raw_cards.is_number(number)
        assert stripe_cards.by_id(stripe.test_id({**AT_STRIPE, "number": number}), "stripe") is not None


def test_each_of_adyens_numbers_and_names_is_one_of_its_cards() -> None:
    for number in adyen.CARDS:
        assert raw_cards.is_number(number)
        assert (
            adyen_cards.by_token(adyen.stored_as({**AT_ADYEN, "number": number}), 1999, "adyen") is not None
        )
    for name in adyen.BY_HOLDER:
        token = adyen.stored_as({**AT_ADYEN, "holderName": name})
        assert adyen_cards.by_token(token, 1999, "adyen") is not None


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"exp_month": "13"}, "invalid_expiry_month"),
        ({"exp_year": "2020"}, "invalid_expiry_year"),
        ({"exp_year": "40"}, "invalid_expiry_year"),
        ({"cvc": "12"}, "invalid_cvc"),
        ({"number": "4111111111111111"}, "card_declined"),
        ({"colour": "red"}, "parameter_unknown"),
    ],
)
def test_what_is_wrong_with_a_card_is_said_as_stripe_says_it(wrong: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        stripe.test_id({**AT_STRIPE, **wrong})
    assert code.encode() in refusal.value.reply.body


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"number": "4111111111111112"}, "101"),
        ({"expiryMonth": "13"}, "129"),
        ({"cvc": "12"}, "103"),
        ({"colour": "red"}, "702"),
    ],
)
def test_what_is_wrong_with_a_card_is_said_as_adyen_says_it(wrong: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        adyen.stored_as({**AT_ADYEN, **wrong})
    assert code.encode() in refusal.value.reply.body


def test_an_expired_card_and_a_number_of_no_test_card_are_refused_by_adyens_issuers() -> None:
    assert adyen.stored_as({**AT_ADYEN, "expiryYear": "2020"}) == "tok_hard_expired_card"
    assert adyen.stored_as({**AT_ADYEN, "number": "4242424242424242"}) == "tok_hard_invalid_number"
