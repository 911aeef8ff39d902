"""The tokens and amounts of the table of failures name, at each gateway, the script that the table says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_worker.emulator import tokens
from aegis_worker.emulator.adyen import cards as adyen
from aegis_worker.emulator.braintree import instruments as braintree
from aegis_worker.emulator.failure import Failure
from aegis_worker.emulator.failures import FAILURES
from aegis_worker.emulator.paypal import sources as paypal
from aegis_worker.emulator.razorpay import sources as razorpay
from aegis_worker.emulator.scripts import Script
from aegis_worker.emulator.stripe import cards as stripe
from aegis_worker.emulator.tokens import named


def at_stripe(token: str) -> Script | None:
    card = stripe.by_id(token.replace("tok_", "pm_", 1), "stripe")
    return card.script if card else None


def at_adyen(token: str) -> Script | None:
    card = adyen.by_token(token, 1999, "adyen")
    return card.script if card else None


BY_TOKEN: dict[str, Callable[[str], Script | None]] = {
    "sandbox": lambda token: tokens.asked_for(token, 1999, "sandbox"),
    "stripe": at_stripe,
    "adyen": at_adyen,
    "paypal": lambda token: paypal.script_of(token, 1999, "paypal"),
    "braintree": lambda token: braintree.script_of(token, 1999, "braintree"),
    "razorpay": lambda token: razorpay.script_of(token, 1999, "razorpay"),
}
CASES = [
    pytest.param(failure, gateway, id=f"{failure.name}-{gateway}")
    for failure in FAILURES
    if "token" in failure.triggers
    for gateway in failure.where
]


@pytest.mark.parametrize(("failure", "gateway"), CASES)
def test_a_token_names_the_script(failure: Failure, gateway: str) -> None:
    found = BY_TOKEN[gateway](failure.triggers["token"])
    assert found is not None
    assert (found.name, failure.operation in found.acts_on) == (named(failure.script).name, True)


@pytest.mark.parametrize(
    "failure", [one for one in FAILURES if "amount" in one.triggers], ids=lambda one: str(one.name)
)
def test_an_amount_names_the_script(failure: Failure) -> None:
    found = tokens.asked_for("", int(failure.triggers["amount"]), "sandbox")
    assert found == named(failure.script)
