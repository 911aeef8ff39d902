"""What each gateway gets to see of a payment method."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.instruments import (
    as_seen_by,
    is_bare,
    likeness,
    missing_field,
    name_of_card,
    named_gateways,
    names_of_card,
    token_for,
)

BARE = {"type": "card", "token": "tok_visa", "network": "visa"}
OF_STRIPE = {"type": "card", "token": "pm_1", "gateway": "stripe"}
OF_TWO = {"type": "card", "tokens": {"stripe": "pm_1", "adyen": "ad_1"}, "network": "visa"}
A_CHOICE = {"type": "wallet", "provider": "paytm"}
OF_THE_VAULT = {"type": "card", "token": "card_1", "gateway": "vault", "fingerprint": "fp_1"}
NAMES = ("stripe", "adyen", "sandbox_a")
METHODS = st.one_of(
    st.fixed_dictionaries({"type": st.just("card"), "token": st.text(min_size=1)}),
    st.fixed_dictionaries(
        {"type": st.just("card"), "token": st.text(min_size=1), "gateway": st.sampled_from(NAMES)}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("card"),
            "tokens": st.dictionaries(st.sampled_from(NAMES), st.uuids().map(str), min_size=1),
        }
    ),
)


@pytest.mark.parametrize(
    ("method", "tokens"),
    [
        (BARE, {"stripe": "tok_visa", "adyen": "tok_visa", "sandbox_a": "tok_visa"}),
        (OF_STRIPE, {"stripe": "pm_1", "adyen": None, "sandbox_a": None}),
        (OF_TWO, {"stripe": "pm_1", "adyen": "ad_1", "sandbox_a": None}),
        (A_CHOICE, dict.fromkeys(NAMES)),
    ],
)
def test_a_gateway_is_shown_its_own_token_or_a_bare_one(
    method: dict[str, Any], tokens: dict[str, str | None]
) -> None:
    assert {name: token_for(method, name) for name in NAMES} == tokens


def test_a_gateway_sees_a_payment_method_as_if_its_token_were_the_only_one() -> None:
    assert as_seen_by(OF_TWO, "adyen") == {"type": "card", "token": "ad_1", "network": "visa"}
    assert as_seen_by(OF_TWO, "sandbox_a") == {"type": "card", "network": "visa"}
    assert as_seen_by(OF_STRIPE, "stripe") == {"type": "card", "token": "pm_1"}
    assert as_seen_by(A_CHOICE, "stripe") == A_CHOICE


def test_what_gateways_saw_before_tokens_had_gateways_they_see_unchanged() -> None:
    assert as_seen_by(BARE, "sandbox_a") is BARE


@given(method=METHODS, gateway=st.sampled_from(NAMES))
def test_no_gateway_ever_sees_what_was_given_for_another(method: dict[str, Any], gateway: str) -> None:
    seen = as_seen_by(method, gateway)
    assert seen.keys() <= {"type", "token"}
    shown = seen.get("token")
    if named_gateways(method):
        own = method["tokens"].get(gateway) if "tokens" in method else method["token"]
        assert shown == (own if gateway in named_gateways(method) else None)
    assert (shown is None) == (missing_field(method, gateway, frozenset({"token"})) == "token")


def test_a_card_of_the_vault_is_no_gateways_and_the_same_for_each() -> None:
    assert named_gateways(OF_THE_VAULT) == ()
    assert not is_bare(OF_THE_VAULT)
    for gateway in NAMES:
        assert token_for(OF_THE_VAULT, gateway) == "card_1"
        assert as_seen_by(OF_THE_VAULT, gateway) is OF_THE_VAULT
        assert missing_field(OF_THE_VAULT, gateway, frozenset({"token"})) is None


def test_two_tokens_of_one_card_in_the_vault_are_one_card_and_no_gateways_token_is_it() -> None:
    again = {**OF_THE_VAULT, "token": "card_2"}
    (name,) = names_of_card(OF_THE_VAULT)
    assert [*names_of_card(again)] == [name]
    assert {name_of_card(method, gateway) for method in (OF_THE_VAULT, again) for gateway in NAMES} == {name}
    assert [*names_of_card({**OF_THE_VAULT, "fingerprint": "fp_2"})] != [name]
    # A token is printable ASCII without a space.
    assert " " in name


def test_the_tokens_of_a_payment_are_all_of_one_card() -> None:
    assert [list(names_of_card(method)) for method in (BARE, OF_STRIPE, OF_TWO, A_CHOICE)] == [
        ["tok_visa"],
        ["pm_1"],
        ["pm_1", "ad_1"],
        [],
    ]


def test_what_a_gateway_can_not_do_without_is_looked_for_in_what_it_sees() -> None:
    assert missing_field(A_CHOICE, "stripe", frozenset({"provider"})) is None
    assert missing_field({"type": "upi"}, "stripe", frozenset({"vpa"})) == "vpa"
    assert missing_field(OF_TWO, "sandbox_a", frozenset({"token", "network"})) == "token"


def test_payment_methods_are_alike_where_they_may_go_to_the_same_gateways() -> None:
    assert is_bare(BARE)
    assert not is_bare(OF_STRIPE)
    assert likeness(OF_STRIPE) == likeness({**OF_STRIPE, "token": "pm_2"})
    assert likeness(OF_THE_VAULT) == likeness({**OF_THE_VAULT, "token": "card_2"})
    kinds = (BARE, {**BARE, "token": "pm_1"}, OF_STRIPE, OF_TWO, A_CHOICE, OF_THE_VAULT, {"type": "wallet"})
    assert len({likeness(method) for method in kinds}) == len(kinds)
