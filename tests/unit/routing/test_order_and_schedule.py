"""Which gateways, in which order, and when to try again."""

from __future__ import annotations

import random

import pytest
from support.plain_payment import a_payment
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.money import Money
from aegis_worker.resilience.backoff import verify_delay_s
from aegis_worker.routing.config import RoutingConfig
from aegis_worker.routing.router import decide
from aegis_worker.settings_bounds import VERIFY_LADDER_S


def decide_for(payment, gateways):
    return decide(payment, gateways, {}, RoutingConfig(), random.Random())


def configs(**by_name):
    return [ScriptedGateway(name, **config) for name, config in by_name.items()]


def test_candidates_keep_the_configured_order():
    assert decide_for(a_payment(), configs(b={}, a={})).candidates == ("b", "a")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"currencies": frozenset({"EUR"})}, "does not take USD"),
        ({"methods": frozenset({"upi"})}, "does not take card"),
        ({"countries": frozenset({"DE"})}, "does not serve US"),
        ({"enabled": False}, "is switched off"),
    ],
)
def test_a_gateway_that_does_not_support_the_payment_is_left_out_with_the_reason(config, reason):
    decision = decide_for(a_payment(customer={"country": "US"}), configs(a=config, b={}))
    assert (decision.candidates, decision.left_out) == (("b",), {"a": reason})


def test_a_payment_without_a_country_may_go_anywhere():
    assert decide_for(a_payment(), configs(a={"countries": frozenset({"DE"})})).candidates == ("a",)


def test_a_gateway_without_limits_takes_every_currency():
    assert decide_for(a_payment(amount=Money(1, "BHD")), configs(a={})).candidates == ("a",)


def test_the_verify_ladder_ends_within_its_seventh_day_and_then_asks_a_person():
    assert [verify_delay_s(checks, VERIFY_LADDER_S) for checks in range(3)] == [10, 30, 60]
    assert 6 * 86_400 < sum(VERIFY_LADDER_S) <= 7 * 86_400
    assert verify_delay_s(len(VERIFY_LADDER_S), VERIFY_LADDER_S) is None
