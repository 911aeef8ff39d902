"""The sandbox's action for the shop's own frontend, and the confirm that ends it, through the adapter."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support.gateway_calls import sent
from support.payers import payer_clicks
from support.sandbox_calls import adapter_for, charged, later, query, request
from support.sandbox_process import Sandbox

from aegis_worker.domain.actions import Sdk
from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    Operation,
    Pending,
    Unknown,
)
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.requests import GatewayRequest


@pytest.fixture
def gateway(sandbox: Sandbox) -> LoadedGateway:
    return adapter_for(sandbox.url)


def asked(
    gateway: LoadedGateway, token: str, operation: Operation = Operation.PROCESS
) -> tuple[Any, ActionRequired]:
    first = request(token, operation)
    action = sent(gateway, first)
    assert isinstance(action, ActionRequired)
    return first, action


def confirm(
    sandbox: Sandbox, first: GatewayRequest, action: ActionRequired, how: str = "passed"
) -> GatewayRequest:
    assert isinstance(action.action, Sdk)
    secret = action.action.data["client_secret"]
    data = sandbox.call("GET", f"/challenge?client_secret={secret}").json[how]
    call = later(first, Operation.CONFIRM, action.gateway_ref)
    return replace(call, confirm=Confirm(1, "digest", data))


def test_the_action_is_for_the_frontend_and_says_when_it_ends(gateway: LoadedGateway) -> None:
    first, action = asked(gateway, "tok_sdk_60")
    assert isinstance(action.action, Sdk)
    assert (action.action.sdk, list(action.action.data), action.expires_at is not None) == (
        "sandbox",
        ["client_secret"],
        True,
    )
    assert gateway.ask_and_wait(query(first, action.gateway_ref)) == action


def test_a_confirm_charges_once_and_is_found_under_its_key(gateway: LoadedGateway, sandbox: Sandbox) -> None:
    first, action = asked(gateway, "tok_sdk")
    call = confirm(sandbox, first, action)
    assert gateway.ask_and_wait(query(call, action.gateway_ref)) == NotFound()
    assert sent(gateway, call) == charged(action.gateway_ref)
    assert sent(gateway, call) == charged(action.gateway_ref), "the same key gives the same answer"
    assert gateway.ask_and_wait(query(call, action.gateway_ref)) == charged(action.gateway_ref)
    assert [row["captured"] for row in sandbox.booked(first.idempotency_key)] == [1999]


def test_a_confirm_of_the_authentication_lets_the_charge_follow(
    gateway: LoadedGateway, sandbox: Sandbox
) -> None:
    first, action = asked(gateway, "tok_sdk", Operation.AUTHENTICATE)
    assert sent(gateway, confirm(sandbox, first, action)) == Approved(action.gateway_ref, captured=False)
    assert sent(gateway, later(first, Operation.PROCESS, action.gateway_ref)) == charged(action.gateway_ref)


def test_a_payer_who_fails_is_declined(gateway: LoadedGateway, sandbox: Sandbox) -> None:
    first, action = asked(gateway, "tok_sdk")
    outcome = sent(gateway, confirm(sandbox, first, action, "failed"))
    assert isinstance(outcome, Declined)
    assert outcome.code == "authentication_failed"


@pytest.mark.parametrize("data", [{}, {"challenge_result": "nonsense"}, {"other": 1}])
def test_what_is_no_result_of_the_challenge_changes_nothing(
    gateway: LoadedGateway, sandbox: Sandbox, data: dict[str, Any]
) -> None:
    first, action = asked(gateway, "tok_sdk")
    wrong = replace(later(first, Operation.CONFIRM, action.gateway_ref), confirm=Confirm(1, "d", data))
    outcome = sent(gateway, wrong)
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.gateway_code) == ("invalid_request", "invalid_challenge_result")
    assert sent(gateway, confirm(sandbox, first, action)) == charged(action.gateway_ref)


@pytest.mark.parametrize(
    ("then", "kind"),
    [
        ("hard_fraud", Declined),
        ("pending_60", Pending),
        ("500", Unknown),
        ("drop", Unknown),
        ("sdk", ActionRequired),
    ],
)
def test_a_script_may_act_on_the_confirm(
    gateway: LoadedGateway, sandbox: Sandbox, then: str, kind: type[object]
) -> None:
    first, action = asked(gateway, f"tok_sdk_then_{then}")
    assert isinstance(sent(gateway, confirm(sandbox, first, action)), kind)


def test_a_confirm_that_nobody_heard_of_is_told_by_how_the_payment_stands(
    gateway: LoadedGateway, sandbox: Sandbox
) -> None:
    first, action = asked(gateway, "tok_sdk")
    sent(gateway, confirm(sandbox, first, action))
    other = later(first, Operation.CONFIRM, action.gateway_ref)
    assert gateway.ask_and_wait(query(other, action.gateway_ref)) == charged(action.gateway_ref)


def test_the_page_of_a_redirect_ends_no_action_of_the_frontend(
    gateway: LoadedGateway, sandbox: Sandbox
) -> None:
    _, action = asked(gateway, "tok_sdk")
    payer_clicks(f"{sandbox.url}/3ds/{action.gateway_ref}", "pass")
    assert sandbox.call("GET", f"/v1/payments/{action.gateway_ref}").json["status"] == "requires_action"


def test_only_an_action_of_the_frontend_has_a_confirm(sandbox: Sandbox) -> None:
    assert sandbox.charge("tok_3ds_then_drop").code == "unknown_script"
