"""A card of the vault at Braintree: what is sent of it, held against the official SDK, and what is shown of it."""

from __future__ import annotations

from typing import Any

import braintree
import pytest
from braintree.resource import Resource
from msgspec.structs import replace
from support.braintree_answers import CHARGE, adapter, shown, transaction, written

from aegis_worker.domain.cards import Card
from aegis_worker.domain.outcomes import Declined
from aegis_worker.gateways.kit.flows import HttpCall, OpenCard
from aegis_worker.gateways.requests import GatewayRequest

VAULTED = {
    "type": "card",
    "token": "card_0190a6e0b7a17cc3a1d84f4ad6a0c111",
    "gateway": "vault",
    "fingerprint": "f1",
    "last4": "1111",
    "exp_month": 3,
    "exp_year": 2030,
    "with_code": True,
}
CARD = Card("4111111111111111", 3, 2030, "737", "Asha Rao")


def request(**terms: Any) -> GatewayRequest:
    """A charge by a card of the vault."""
    given = replace(CHARGE.terms, payment_method=VAULTED, **terms)
    return replace(CHARGE, terms=given, vaulted=OpenCard.of(VAULTED))


def charged(card: Card | Declined = CARD, **terms: Any) -> tuple[Any, HttpCall | None]:
    """What the charge ends with when the vault opens this, and its call."""
    flow = adapter().process(request(**terms))
    asked = next(flow)
    assert asked == OpenCard.of(VAULTED)
    try:
        call = flow.send(card)  # type: ignore[arg-type]
    except StopIteration as end:
        return end.value, None
    assert isinstance(call, HttpCall)
    with pytest.raises(StopIteration) as ended:
        flow.send(shown(transaction(), 201))
    return ended.value.value, call


def fields(card: Card = CARD, **terms: Any) -> dict[str, Any]:
    _, call = charged(card, **terms)
    assert call is not None
    said: dict[str, Any] = written(call)["transaction"]
    Resource.verify_keys(said, braintree.Transaction.create_signature())
    return said


def test_a_card_is_sent_by_number_in_place_of_a_nonce() -> None:
    said = fields()
    assert said["credit_card"] == {
        "number": "4111111111111111",
        "expiration_month": "03",
        "expiration_year": "2030",
        "cvv": "737",
        "cardholder_name": "Asha Rao",
    }
    assert not {"payment_method_nonce", "payment_method_token", "external_vault"} & said.keys()
    assert charged()[0].captured_minor == 1999


def test_what_the_card_has_not_is_left_out() -> None:
    said = fields(Card("4111111111111111", 12, 2031))
    assert said["credit_card"].keys() == {"number", "expiration_month", "expiration_year"}


def test_a_card_that_is_kept_and_one_that_was() -> None:
    kept = fields(setup_future_usage="off_session")
    assert kept["external_vault"] == {"status": "will_vault"}
    again = fields(off_session=True, off_session_reason="recurring", network_transaction_id="0209")
    assert again["transaction_source"] == "recurring"
    assert again["external_vault"] == {"status": "vaulted", "previous_network_transaction_id": "0209"}


def test_a_card_that_is_gone_is_a_decline_and_nothing_is_sent() -> None:
    gone = Declined("invalid_token", "card_gone")
    assert charged(gone) == (gone, None)


def test_nothing_of_a_card_is_seen_in_a_call() -> None:
    _, call = charged()
    assert "4111" not in repr(call)
    assert "737" not in repr(call)
