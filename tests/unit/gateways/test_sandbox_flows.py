"""The sandbox adapter's calls as values, and what it makes of answers: by hand, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Declined, NotFound, NotSent, Operation, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall, NoAnswer
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter

ADAPTER = SandboxAdapter(GatewayConfig("sandbox_a", "sandbox", "http://gateway.test", "sk_secret"))
CHARGE = GatewayRequest(
    Operation.PROCESS,
    "pay_1",
    "pay_1-p1",
    PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tok_ok"}),
)
ASKED = StatusQuery(Operation.PROCESS, "pay_1-p1", None, CHARGE.amount)


def first_call(flow: Flow[Any]) -> HttpCall:
    call = next(flow)
    assert isinstance(call, HttpCall)
    return call


def answered(flow: Flow[Any], status: int, body: Any, **headers: str) -> Any:
    """What the flow returns after its one call was answered like this."""
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.send(HttpAnswer(status, headers, json.dumps(body).encode()))
    return end.value.value


def payment(status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    shown = {"id": "spay_1", "status": status, "reference": "pay_1-p1", "amount": 1999, "currency": "USD"}
    sums = {"amount_captured": 1999 if status == "succeeded" else 0, "amount_refunded": 0}
    return {**shown, **sums, "operations": [], **fields}


def test_three_d_secure_is_demanded_with_the_payment() -> None:
    body = json.loads(first_call(ADAPTER.process(replace(CHARGE, three_ds=True))).body or b"")
    assert body["three_ds"] is True
    assert "three_ds" not in json.loads(first_call(ADAPTER.process(CHARGE)).body or b"")


def test_a_charge_is_one_post_under_its_key() -> None:
    call = first_call(ADAPTER.process(CHARGE))
    assert (call.method, call.path, call.only_reads, call.base_url) == ("POST", "/v1/charges", False, None)
    assert call.headers == {
        "Authorization": "Bearer sk_secret",
        "Content-Type": "application/json",
        "Idempotency-Key": "pay_1-p1",
    }
    assert json.loads(call.body or b"") == {
        "reference": "pay_1-p1",
        "amount": 1999,
        "currency": "USD",
        "capture_method": "automatic",
        "payment_method": {"type": "card", "token": "tok_ok"},
        "metadata": {"merchant_payment_id": "pay_1"},
    }


@pytest.mark.parametrize(
    ("operation", "path", "body"),
    [
        (Operation.AUTHENTICATE, "/v1/payments/spay%2F1/authenticate", {"reference": "pay_1-p1"}),
        (
            Operation.CAPTURE,
            "/v1/payments/spay%2F1/capture",
            {"reference": "pay_1-p1", "amount": 1999, "final": True},
        ),
        (Operation.VOID, "/v1/payments/spay%2F1/void", {"reference": "pay_1-p1"}),
        (Operation.REFUND, "/v1/payments/spay%2F1/refund", {"reference": "pay_1-p1", "amount": 1999}),
    ],
)
def test_a_later_operation_goes_to_the_payment_that_the_first_made(
    operation: Operation, path: str, body: dict[str, Any]
) -> None:
    call = first_call(getattr(ADAPTER, operation)(replace(CHARGE, operation=operation, gateway_ref="spay/1")))
    assert (call.path, json.loads(call.body or b"")) == (path, body)


@pytest.mark.parametrize("gateway_ref", [None, "spay_1"])
def test_a_look_up_only_reads(gateway_ref: str | None) -> None:
    query = replace(ASKED, gateway_ref=gateway_ref)
    flow = ADAPTER.get_status(query) if gateway_ref else ADAPTER.find_by_reference(query)
    call = first_call(flow)
    assert (call.method, call.body, call.only_reads) == ("GET", None, True)
    assert call.path == ("/v1/payments/spay_1" if gateway_ref else "/v1/payments?reference=pay_1-p1")


def test_no_secret_is_shown_with_a_call() -> None:
    assert "sk_secret" not in repr(first_call(ADAPTER.process(CHARGE)))
    assert "tok_ok" not in repr(first_call(ADAPTER.process(CHARGE)))


def test_what_is_to_be_refused_goes_nowhere_and_takes_no_secret_along() -> None:
    refused = replace(
        CHARGE, terms=replace(CHARGE.terms, payment_method={"type": "card", "token": "tok_refused"})
    )
    call = first_call(ADAPTER.process(refused))
    assert (call.base_url, call.headers) == ("http://127.0.0.1:1", {})


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, payment(), Approved("spay_1", True, 1999, 0)),
        (201, payment("authorized"), Approved("spay_1", False, 0, 0)),
        (
            402,
            {
                "error": {"code": "lost_card", "message": "Lost."},
                "payment": payment("failed", last_error={"code": "lost_card"}),
            },
            Declined("lost_card", "lost_card", "Lost.", "spay_1"),
        ),
        (
            429,
            {"error": {"code": "rate_limited", "message": "Later."}, "reference": "pay_1-p1"},
            NotSent("rate limited", 7.0, NotSentKind.RATE_LIMIT),
        ),
    ],
)
def test_an_answer_is_translated(status: int, body: dict[str, Any], outcome: Any) -> None:
    assert answered(ADAPTER.process(CHARGE), status, body, **{"retry-after": "7"}) == outcome


def test_a_look_up_that_lists_nothing_found_nothing() -> None:
    assert (
        answered(ADAPTER.find_by_reference(ASKED), 200, {"reference": "pay_1-p1", "data": []}) == NotFound()
    )


def test_what_is_no_answer_passes_through_the_adapter() -> None:
    flow = ADAPTER.process(CHARGE)
    next(flow)
    with pytest.raises(NoAnswer) as none:
        flow.throw(NoAnswer(Unknown("read timeout")))
    assert none.value.outcome == Unknown("read timeout")
