"""A gateway takes only what it can do: amounts that it can write exactly, and holds where it has them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from support.plain_payment import a_payment
from support.routing_inputs import candidates

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.kit.amounts import Amounts
from aegis_worker.routing.config import RoutingConfig
from aegis_worker.routing.router import decide


def left_out(amount: Money, able: Capabilities, **terms: Any) -> dict[str, str]:
    payment = a_payment(amount=amount, **terms)
    a, b = candidates(a={}, b={})
    a.capabilities = replace(able, bare_tokens=b.capabilities.bare_tokens)
    return dict(decide(payment, [a, b], {}, RoutingConfig(), random.Random(1)).left_out)


@pytest.mark.parametrize(
    ("minor", "expected"), [(12_345, {"a": "can't take 12.345 BHD exactly"}), (12_340, {})]
)
def test_an_amount_between_its_steps_goes_elsewhere_and_is_never_rounded(
    minor: int, expected: dict[str, str]
) -> None:
    able = Capabilities((Operation.PROCESS,), 60.0, 0.0, amounts=Amounts(steps={"BHD": 10}))
    assert left_out(Money(minor, "BHD"), able) == expected


@pytest.mark.parametrize(
    ("capture_method", "expected"),
    [("manual", {"a": "can't hold funds to be captured later"}), ("automatic", {})],
)
def test_where_it_has_no_holds_it_takes_charges_only(capture_method: str, expected: dict[str, str]) -> None:
    able = Capabilities((Operation.PROCESS,), 60.0, 0.0, holds=False)
    assert left_out(Money(1999, "USD"), able, capture_method=capture_method) == expected


@pytest.mark.parametrize(("provider", "expected"), [("paytm", {"a": "does not take paytm"}), ("paypal", {})])
def test_a_wallet_goes_to_who_provides_it(provider: str, expected: dict[str, str]) -> None:
    takes = {"wallet": frozenset({"provider"})}
    able = Capabilities((Operation.PROCESS,), 60.0, 0.0, methods=takes, providers=frozenset({"paypal"}))
    wallet = {"type": "wallet", "provider": provider}
    assert left_out(Money(1999, "USD"), able, payment_method=wallet) == expected


@pytest.mark.parametrize(
    ("capture_method", "expected"),
    [("automatic", {"a": "takes wallet only to be captured later"}), ("manual", {})],
)
def test_what_a_payer_could_still_pay_is_only_held(capture_method: str, expected: dict[str, str]) -> None:
    takes, held_only = {"wallet": frozenset({"provider"})}, frozenset({"wallet"})
    able = Capabilities((Operation.PROCESS,), 60.0, 0.0, methods=takes, held_only=held_only)
    wallet = {"type": "wallet", "provider": "paypal"}
    assert (
        left_out(Money(1999, "USD"), able, payment_method=wallet, capture_method=capture_method) == expected
    )


def test_a_currency_that_it_does_not_take_goes_elsewhere() -> None:
    able = Capabilities((Operation.PROCESS,), 60.0, 0.0, amounts=Amounts(currencies=frozenset({"EUR"})))
    assert left_out(Money(1999, "USD"), able) == {"a": "does not take USD"}
