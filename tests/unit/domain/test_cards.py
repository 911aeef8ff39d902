"""A card: what is taken, what is said of one that is not, and that it shows itself to nobody."""

from __future__ import annotations

import pickle
from copy import copy
from datetime import UTC, datetime, timedelta

import pytest
from rich.pretty import pretty_repr

from aegis_worker.domain.card_networks import NETWORKS
from aegis_worker.domain.card_numbers import network_of
from aegis_worker.domain.cards import Card, VaultedCard, code_lengths, faults_of, is_vaulted

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def card(
    number: str = "4242424242424242", month: int = 11, year: int = 2026, cvc: str | None = "737"
) -> Card:
    return Card(number, month, year, cvc, "Zoë Rao")


def found(one: Card, now: datetime = NOW) -> list[tuple[str, str]]:
    return [(fault.field, fault.code) for fault in faults_of(one, now)]


@pytest.mark.parametrize(
    ("number", "network"),
    [
        ("4242424242424242", "visa"),
        ("5555555555554444", "mastercard"),
        ("2223003122003222", "mastercard"),
        ("378282246310005", "amex"),
        ("6011111111111117", "discover"),
        ("30569309025904", "diners"),
        ("3566002020360505", "jcb"),
        ("6200000000000005", "unionpay"),
        ("6521674070049480", "rupay"),
        ("5018000000000009", None),
    ],
)
def test_the_first_digits_say_the_network(number: str, network: str | None) -> None:
    assert network_of(number) == network
    assert network is None or network in NETWORKS


@pytest.mark.parametrize(
    ("one", "faults"),
    [
        (card(), []),
        (card(cvc=None), []),
        (card("4242424242424241"), [("number", "luhn_failed")]),
        (card("9999999999999995"), [("number", "unknown_network")]),
        (card("424242424242"), [("number", "unknown_network")]),
        (card(month=10), [("exp_month", "expired")]),
        (card(year=2025, month=12), [("exp_year", "expired")]),
        (card(year=2057), [("exp_year", "out_of_range")]),
        (card(year=2056), []),
        (card(cvc="1234"), [("cvc", "wrong_length")]),
        (card("378282246310005", cvc="123"), [("cvc", "wrong_length")]),
        (card("378282246310005", cvc="1234"), []),
        (card("5018000000000009", cvc="1234"), []),
        (card("4242424242424241", month=1), [("number", "luhn_failed"), ("exp_month", "expired")]),
    ],
)
def test_what_is_wrong_with_a_card_has_its_field_and_code_and_never_the_value(
    one: Card, faults: list[tuple[str, str]]
) -> None:
    assert found(one) == faults
    for fault in faults_of(one, NOW):
        assert one.number not in fault.detail
        assert one.cvc is None or one.cvc not in fault.detail


def test_a_card_is_good_until_its_month_is_over_everywhere() -> None:
    last_minute = datetime(2026, 12, 1, 11, 59, tzinfo=UTC)
    assert found(card(), last_minute) == []
    assert found(card(), last_minute + timedelta(minutes=1)) == [("exp_month", "expired")]


def test_no_printer_and_no_pickle_gets_anything_out_of_a_card() -> None:
    shown = f"{card()!r} {card()} {[card()]} {pretty_repr({'card': card()})} {ValueError(card())}"
    for part in ("4242", "737", "Zoë", "2026"):
        assert part not in shown
    with pytest.raises(TypeError):
        pickle.dumps(card())
    assert copy(card()) == card()


def test_a_payment_says_of_its_card_what_may_be_known() -> None:
    known = VaultedCard("card_1", None, "4242", 11, 2026, "f" * 32, kept=True, with_code=True)
    method = known.method(with_code=False)
    assert method == {
        "type": "card",
        "token": "card_1",
        "gateway": "vault",
        "last4": "4242",
        "exp_month": 11,
        "exp_year": 2026,
        "fingerprint": "f" * 32,
    }
    assert is_vaulted(method)
    assert known.method(with_code=True)["with_code"] is True
    assert code_lengths("amex") == (4,)
