"""Whose token a new payment carries, and whether it carries what the gateways that take it need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.scripted_gateway import ScriptedGateway
from support.vaulted_cards import vaulted

from aegis_worker.domain.modes import Mode
from aegis_worker.domain.money import Money
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.errors import MethodRefused
from aegis_worker.intake import placed

BY_TOKEN = {"card": frozenset({"token"}), "upi": frozenset({"vpa"}), "wallet": frozenset({"token"})}
BY_CHOICE = dict.fromkeys(("upi", "net_banking", "wallet"), frozenset[str]())


def real(name: str, **config: Any) -> ScriptedGateway:
    return ScriptedGateway(name, bare_tokens="", **{"methods": BY_TOKEN, **config})


def sandbox(name: str, **config: Any) -> ScriptedGateway:
    return ScriptedGateway(name, bare_tokens="tok_.+", methods=BY_TOKEN, **config)


def terms(currency: str = "USD", **method: Any) -> PaymentTerms:
    return PaymentTerms(Money(1999, currency), {"type": "card", **method})


def refused(asked: PaymentTerms, *gateways: ScriptedGateway, mode: Mode = "test") -> tuple[str, str]:
    """Where the refusal points, and its code."""
    with pytest.raises(MethodRefused) as error:
        placed(asked, mode, gateways)
    (fault,) = error.value.more["errors"]
    return fault["pointer"], fault["code"]


def test_a_bare_test_token_is_for_all_sandboxes_also_beside_a_real_gateway() -> None:
    asked = terms(token="tok_visa")
    assert placed(asked, "test", [sandbox("a"), sandbox("b")]) is asked
    assert placed(asked, "test", [sandbox("a"), real("stripe")]) is asked


def test_a_bare_token_that_one_gateway_alone_can_have_issued_is_that_gateways_from_then_on() -> None:
    asked = terms(token="pm_1")
    bound = {"type": "card", "token": "pm_1", "gateway": "stripe"}
    assert placed(asked, "test", [real("stripe")]).payment_method == bound
    assert placed(asked, "test", [sandbox("a"), real("stripe")]).payment_method == bound
    assert placed(asked, "test", [real("stripe"), real("adyen", currencies={"EUR"})]).payment_method == bound


def test_a_gateway_that_issues_no_tokens_can_not_have_issued_one() -> None:
    in_its_page = real("razorpay", methods={"card": frozenset()})
    in_its_page.capabilities = replace(in_its_page.capabilities, issues_tokens=False)
    bound = {"type": "card", "token": "pm_1", "gateway": "stripe"}
    assert placed(terms(token="pm_1"), "test", [in_its_page, real("stripe")]).payment_method == bound
    assert refused(terms(token="pm_1"), in_its_page) == ("/payment_method/token", "invalid_format")
    without = terms()
    assert placed(without, "test", [in_its_page, real("stripe")]) is without


def test_a_bare_token_that_may_be_of_several_gateways_is_refused() -> None:
    asked = terms(token="pm_1")
    assert refused(asked, real("stripe"), real("adyen")) == ("/payment_method/token", "ambiguous_token")


def test_a_bare_token_that_no_sandbox_issues_is_refused_where_there_are_only_sandboxes() -> None:
    assert refused(terms(token="pm_1"), sandbox("a")) == ("/payment_method/token", "invalid_format")
    named = terms(token="pm_1", gateway="a")
    assert placed(named, "test", [sandbox("a")]) is named


@pytest.mark.parametrize(
    ("method", "pointer"),
    [
        ({"token": "pm_1", "gateway": "strype"}, "/payment_method/gateway"),
        ({"tokens": {"stripe": "pm_1", "ady/en": "x"}}, "/payment_method/tokens/ady~1en"),
    ],
)
def test_a_gateway_that_is_not_configured_is_refused(method: dict[str, Any], pointer: str) -> None:
    assert refused(terms(**method), real("stripe")) == (pointer, "unknown_gateway")


def test_a_live_payment_can_not_name_a_test_gateway_and_a_bare_token_is_never_a_sandboxs_there() -> None:
    stripe = real("stripe", mode="live")
    named = refused(terms(token="tok_1", gateway="a"), sandbox("a"), stripe, mode="live")
    assert named == ("/payment_method/gateway", "wrong_mode")
    live = placed(terms(token="tok_1"), "live", [sandbox("a"), stripe])
    assert live.payment_method["gateway"] == "stripe"


@pytest.mark.parametrize(
    ("method", "pointer"),
    [
        ({}, "/payment_method/token"),
        ({"token": "pm_1", "gateway": "stripe"}, "/payment_method/gateway"),
        ({"tokens": {"stripe": "pm_1"}}, "/payment_method/tokens"),
        ({"type": "upi"}, "/payment_method/vpa"),
        ({"type": "wallet", "provider": "paypal"}, "/payment_method/token"),
    ],
)
def test_what_every_gateway_that_takes_the_payment_lacks_is_refused(
    method: dict[str, Any], pointer: str
) -> None:
    gateways = real("stripe", enabled=False), real("adyen")
    assert refused(terms(**method), *gateways) == (pointer, "required")


def test_a_refusal_says_why_the_gateway_that_issued_the_token_is_out() -> None:
    with pytest.raises(MethodRefused) as error:
        placed(
            terms("EUR", token="pm_1", gateway="stripe"),
            "test",
            [real("stripe", currencies={"USD"}), real("adyen")],
        )
    (fault,) = error.value.more["errors"]
    assert fault["detail"].endswith("(adyen), one must have issued the token: stripe does not take EUR.")


def test_a_refused_name_says_which_gateways_there_are() -> None:
    with pytest.raises(MethodRefused) as error:
        placed(terms(token="pm_1", gateway="strype"), "test", [real("stripe"), real("adyen", mode="live")])
    (fault,) = error.value.more["errors"]
    assert fault["detail"] == "No gateway of this name is configured; for test payments there are stripe."


def test_a_payment_goes_on_where_one_gateway_has_all_that_it_needs() -> None:
    asked = terms(tokens={"adyen": "ad_1"})
    assert placed(asked, "test", [real("stripe"), real("adyen")]) is asked
    chosen = terms(type="upi")
    assert placed(chosen, "test", [real("stripe"), real("razorpay", methods=BY_CHOICE)]) is chosen


def test_where_nobody_takes_such_a_payment_it_is_left_to_fail_for_that() -> None:
    asked = terms("EUR", token="pm_1")
    assert placed(asked, "test", [real("stripe", currencies={"USD"})]) is asked
    assert placed(terms(), "test", []) == terms()


def test_a_card_of_the_vault_is_taken_where_a_gateway_may_be_sent_card_numbers() -> None:
    asked = PaymentTerms(Money(1999, "USD"), vaulted())
    may = real("adyen", cards=True, raw_cards=True)
    assert placed(asked, "test", [sandbox("a"), real("stripe", cards=True), may]) is asked


def test_a_card_of_the_vault_that_no_gateway_may_be_sent_is_refused_and_why_is_said() -> None:
    asked = PaymentTerms(Money(1999, "USD"), vaulted())
    unable = [sandbox("a"), real("stripe", cards=True)]
    assert refused(asked, *unable) == ("/payment_method/token", "cards_not_taken")
    with pytest.raises(
        MethodRefused, match="a takes no card numbers; stripe is not set to be sent card numbers"
    ):
        placed(asked, "test", unable)


def test_where_nobody_takes_such_a_payment_a_card_of_the_vault_is_left_to_fail_for_that() -> None:
    asked = PaymentTerms(Money(1999, "USD"), vaulted())
    assert placed(asked, "test", [real("stripe", currencies={"EUR"})]) is asked
