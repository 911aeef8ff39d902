"""What a gateway's references may look like."""

from __future__ import annotations

import random

import pytest

from aegis_worker.domain.actions import NextAction, Qr, Redirect, Sdk
from aegis_worker.domain.outcomes import ActionRequired, Approved, Unknown
from aegis_worker.gateways.discretion import discreet


def test_a_networks_id_that_passes_for_a_cards_number_is_left_out_and_the_charge_stands() -> None:
    assert discreet(Approved("ch_1", network_transaction_id="016120310293123")).network_transaction_id  # type: ignore[union-attr]
    assert discreet(Approved("ch_1", network_transaction_id="378282246310005")) == Approved("ch_1")


def test_a_random_hexadecimal_reference_is_never_taken_for_a_card() -> None:
    draw = random.Random(9)
    for _ in range(20_000):
        approved = Approved(f"spay_{draw.getrandbits(96):024x}")
        assert discreet(approved) == approved


@pytest.mark.parametrize("reference", ["spay_a4111111111111111bcdef0", "4x111111111111111"])
def test_digits_among_letters_are_an_id(reference: str) -> None:
    approved = Approved(reference)
    assert discreet(approved) == approved


@pytest.mark.parametrize(
    "reference",
    [
        "4111111111111111",
        "ch_4111111111111111",
        "tok4111111111111111",
        "4111111111111111eur",
        "4111-1111-1111-1111",
    ],
)
def test_a_number_that_passes_for_a_cards_is_not_kept(reference: str) -> None:
    assert isinstance(discreet(Approved(reference)), Unknown)


@pytest.mark.parametrize(
    "action",
    [
        Redirect("https://bank.example/?card=4111111111111111"),
        Sdk("stripe", {"deep": [{"number": 4111111111111111}]}),
        Qr("upi://4111-1111-1111-1111"),
    ],
)
def test_an_action_that_holds_what_passes_for_a_card_is_not_kept(action: NextAction) -> None:
    assert isinstance(discreet(ActionRequired("ref_1", action)), Unknown)
