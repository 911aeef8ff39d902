"""A token is sent to the gateway that issued it, and to no other, whatever happens there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.api_client import start_api
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    job_of,
    last_error_of,
    make_due,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
)
from support.sandbox_pair import adapter
from support.sandbox_process import running_sandbox
from support.scripted_gateway import ScriptedGateway, answering
from support.stripe_process import STRIPE_KEY, running_stripe

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.card_networks import card_key
from aegis_worker.domain.instruments import named_gateways
from aegis_worker.domain.outcomes import Declined, NotSent, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.persistence.database import Database
from aegis_worker.resilience.permits import GatewayHealth

BY_TOKEN = {"card": frozenset({"token"}), "upi": frozenset[str]()}
OF_STRIPE = {"type": "card", "token": "pm_1", "gateway": "stripe"}
OF_BOTH = {"type": "card", "tokens": {"stripe": "pm_1", "adyen": "ad_1"}, "network": "visa"}
SOFT = Declined("issuer_unavailable", "91", "no way")


def real(name: str, script: Any = None) -> ScriptedGateway:
    return ScriptedGateway(name, script, methods=BY_TOKEN, bare_tokens="")


def pay(database: Database, method: dict[str, Any], *gateways: ScriptedGateway, **changes: Any) -> str:
    payment_id = accept_one(database, payment_method=method).payment.id
    run_until_quiet(pipeline(database, *gateways, **changes))
    return payment_id


def shown(gateway: ScriptedGateway) -> list[Any]:
    """The payment methods that reached the gateway."""
    return [dict(call.terms.payment_method) for call in gateway.calls]


@pytest.mark.parametrize("method", [OF_STRIPE, {"type": "card", "tokens": {"stripe": "pm_1"}}])
@pytest.mark.parametrize(
    "answer", [NotSent("connection refused"), SOFT, Declined("gateway_misconfigured", "401")]
)
def test_a_token_goes_nowhere_else_when_its_gateway_does_not_take_the_payment(
    database: Database, answer: Any, method: dict[str, Any]
) -> None:
    stripe, sandbox, other = real("stripe", answering(answer)), ScriptedGateway("sandbox_a"), real("adyen")
    parts = pipeline(database, stripe, sandbox, other)
    payment_id = accept_one(database, payment_method=method).payment.id
    for _ in range(POLICY.max_attempts + 1):
        run_until_quiet(parts)
        make_due(database)
    assert (sandbox.calls, other.calls) == ([], [])
    assert {attempt["gateway"] for attempt in attempts_of(database, payment_id)} == {"stripe"}
    payment = payment_of(database, payment_id)
    assert payment.state is State.FAILURE
    assert last_error_of(payment)["gateway"] == "stripe"
    left_out = attempts_of(database, payment_id)[0]["decision"]["left_out"]
    assert left_out == dict.fromkeys(("sandbox_a", "adyen"), "has no token of its own")


def test_while_its_gateway_is_down_a_payment_waits_and_then_fails_unsent(database: Database) -> None:
    class Down:
        def health(self) -> dict[str, GatewayHealth]:
            return {"stripe": GatewayHealth(BreakerState.OPEN, retry_in_s=30.0)}

    stripe, sandbox = real("stripe"), ScriptedGateway("sandbox_a")
    parts = pipeline(database, stripe, sandbox)
    gates = type("Gates", (type(parts.gates),), {"health": Down.health})()
    parts = replace(parts, gates=gates)
    payment_id = accept_one(database, payment_method=OF_STRIPE).payment.id
    run_until_quiet(parts)
    job = job_of(database, payment_id)
    assert job["status"] == "waiting"
    assert "stripe has an open breaker" in job["reason"]
    assert "sandbox_a has no token of its own" in job["reason"]
    make_due(database)
    run_until_quiet(replace(parts, policy=replace(POLICY, route_wait_s=0.0)))
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "gateway_unavailable")
    assert (stripe.calls, sandbox.calls, attempts_of(database, payment_id)) == ([], [], [])


def test_each_gateway_gets_its_own_token_alone(database: Database) -> None:
    stripe, adyen, sandbox = real("stripe", answering(SOFT)), real("adyen"), ScriptedGateway("sandbox_a")
    payment_id = pay(database, OF_BOTH, stripe, sandbox, adyen)
    assert payment_of(database, payment_id).gateway == "adyen"
    assert shown(stripe) == [{"type": "card", "token": "pm_1", "network": "visa"}]
    assert shown(adyen) == [{"type": "card", "token": "ad_1", "network": "visa"}]
    assert sandbox.calls == []


def test_a_bare_token_goes_to_gateways_that_take_it_from_anybody_only(database: Database) -> None:
    stripe, sandbox = real("stripe"), ScriptedGateway("sandbox_a")
    pay(database, {"type": "card", "token": "tok_visa"}, stripe, sandbox)
    assert (stripe.calls, shown(sandbox)) == ([], [{"type": "card", "token": "tok_visa"}])


def test_a_call_with_a_token_of_its_gateway_is_repeated_with_the_same_body(database: Database) -> None:
    stripe = real("stripe")
    charge = stripe._script
    stripe._script = answering(Unknown("read timeout"))
    payment_id = pay(database, OF_BOTH, real("adyen", answering(SOFT)), stripe)
    stripe._script = charge
    make_due(database)
    run_until_quiet(pipeline(database, real("adyen"), stripe))
    assert payment_of(database, payment_id).state is State.SUCCESS
    first, second = stripe.calls
    assert first == second
    assert stripe.charges_of(payment_id) == 1


def test_a_method_that_needs_only_a_choice_goes_to_gateways_that_take_it(database: Database) -> None:
    stripe, cards_only = real("stripe"), ScriptedGateway("adyen", methods={"card": frozenset({"token"})})
    pay(database, {"type": "upi"}, cards_only, stripe)
    assert (cards_only.calls, shown(stripe)) == ([], [{"type": "upi"}])


def test_a_card_with_two_tokens_is_barred_by_what_was_declined_under_either(database: Database) -> None:
    stolen = answering(Declined("stolen_card", "43", "stolen"))
    first = pay(database, {"type": "card", "token": "ad_1", "gateway": "adyen"}, real("adyen", stolen))
    assert payment_of(database, first).state is State.FAILURE
    keys = rows(database, "SELECT encode(card_key, 'hex') AS key FROM card_declines")
    assert keys == [{"key": card_key("m_1", "ad_1").hex()}]
    stripe = real("stripe")
    second = accept_one(database, "key-2", payment_method=OF_BOTH).payment.id
    run_until_quiet(pipeline(database, stripe))
    assert last_error_of(payment_of(database, second))["code"] == "card_barred"
    assert stripe.calls == []


# What a shop may say of a card that Stripe issued a token for.
SAID_OF_STRIPES_TOKEN: list[dict[str, Any]] = [
    {"token": "pm_card_visa"},
    {"token": "pm_card_visa", "gateway": "stripe"},
    {"tokens": {"stripe": "pm_card_visa"}},
]


def stripe_at(url: str) -> LoadedGateway:
    return LoadedGateway(StripeAdapter(GatewayConfig("stripe", "stripe", url, STRIPE_KEY, timeout_s=20.0)))


@pytest.mark.slow
@pytest.mark.parametrize("said", SAID_OF_STRIPES_TOKEN)
def test_a_token_of_stripe_never_reaches_a_lenient_sandbox_while_stripe_is_down(
    database_url: str, database: Database, tmp_path: Path, said: dict[str, Any]
) -> None:
    stripe = stripe_at(f"http://127.0.0.1:{free_port()}")
    with running_sandbox(tmp_path) as sandbox:
        both = [adapter(sandbox), stripe]
        accepted = start_api(database_url, *both).merchant().accepted(payment_method={"type": "card", **said})
        assert named_gateways(accepted["payment_method"]) == ("stripe",)
        for _ in range(POLICY.max_attempts + 2):
            run_until_quiet(pipeline(database, *both))
            make_due(database)
        assert sandbox.ledger() == []
    payment = payment_of(database, accepted["id"])
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "gateway_unavailable")


@pytest.mark.slow
def test_tokens_of_stripe_wait_for_stripe_while_it_answers_503_and_are_charged_there_once(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    with running_sandbox(tmp_path) as sandbox, running_stripe(tmp_path) as emulator:
        stripe = stripe_at(emulator.url)
        both = [adapter(sandbox), stripe]
        shop = start_api(database_url, *both).merchant()
        emulator.set_faults(refuse_all=True)
        for said in SAID_OF_STRIPES_TOKEN:
            shop.accepted(payment_method={"type": "card", **said})
        run_until_quiet(pipeline(database, *both))
        assert sandbox.ledger() == []
        emulator.set_faults()
        for _ in SAID_OF_STRIPES_TOKEN:
            make_due(database)
            run_until_quiet(pipeline(database, *both))
        assert sandbox.ledger() == []
        assert [row["captured"] for row in emulator.ledger()] == [1999, 1999, 1999]
        stripe.close_connections()
    assert {row["state"] for row in rows(database, "SELECT state FROM payments")} == {"SUCCESS"}
