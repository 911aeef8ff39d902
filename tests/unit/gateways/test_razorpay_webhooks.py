"""Razorpay's webhooks and disputes: which are genuine, and what they tell."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from razorpay import Client
from support.flows import run
from support.gateway_specs import gateway_spec
from support.razorpay_answers import (
    ACCOUNT,
    KEY_ID,
    MADE_AT_S,
    ORDER,
    PAID,
    RECEIPT,
    REFUND,
    SECRET,
    WEBHOOK,
    adapter,
    answer,
    failed,
    order,
    payment,
    refund,
    released,
)

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Unknown
from aegis_worker.errors import InvalidWebhook
from aegis_worker.gateways.base import GatewayEvent
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.requests import DisputeQuery

DISPUTE = "disp_AHfqOvkldwsbqt"


def body_of(event: str, **entities: Any) -> bytes:
    return json.dumps(
        {
            "entity": "event",
            "account_id": ACCOUNT,
            "event": event,
            "contains": list(entities),
            "payload": {name: {"entity": entity} for name, entity in entities.items()},
            "created_at": MADE_AT_S,
        }
    ).encode()


def signed(body: bytes, *, secret: str = WEBHOOK, event_id: str = "evt_1") -> dict[str, str]:
    made = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Razorpay-Signature": made, "x-razorpay-event-id": event_id}


def heard(event: str, **entities: Any) -> GatewayEvent:
    body = body_of(event, **entities)
    (said,) = adapter().parse_webhook(signed(body), body)
    return said


def test_the_sdk_takes_the_same_signature_for_good() -> None:
    body = body_of("payment.captured", payment=payment("captured"))
    given = signed(body)
    client = Client(auth=(KEY_ID, SECRET))
    assert client.utility.verify_webhook_signature(body.decode(), given["X-Razorpay-Signature"], WEBHOOK)
    assert adapter().parse_webhook(given, body)


def test_an_event_has_its_id_in_a_header_alone() -> None:
    assert heard("payment.captured", payment=payment("captured")) == GatewayEvent(
        "evt_1", None, ORDER, "payment.succeeded", Money(50_000, "INR"), account=ACCOUNT
    )


def test_an_order_that_was_paid_names_our_reference() -> None:
    event = heard("order.paid", payment=payment("captured"), order=order("paid"))
    assert (event.reference, event.gateway_ref, event.kind) == (RECEIPT, ORDER, "payment.succeeded")


@pytest.mark.parametrize(
    ("word", "shown", "kind"),
    [
        ("payment.authorized", payment(), "payment.authorized"),
        ("payment.failed", failed(), "payment.failed"),
        ("payment.downtime.started", payment(), "payment.downtime.started"),
    ],
)
def test_what_a_payment_came_to(word: str, shown: Any, kind: str) -> None:
    assert heard(word, payment=shown).kind == kind


def test_an_event_of_another_kind_is_heard_whatever_it_holds() -> None:
    strange: list[dict[str, Any]] = [
        {"payment": {"order_id": 7}},
        {"payment": []},
        {"settlement": {"id": "setl_1"}},
    ]
    for entities in strange:
        event = heard("settlement.processed", **entities)
        assert (event.kind, event.gateway_ref, event.account) == ("settlement.processed", None, ACCOUNT)


def test_what_the_payers_browser_noted_names_no_payment_of_ours() -> None:
    noted = payment(notes={"reference": "pay_ffffffffffffffffffffffffffffffff-a1"})
    assert heard("payment.authorized", payment=noted).reference is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [("processed", "refund.succeeded"), ("pending", "refund.pending"), ("failed", "refund.failed")],
)
def test_a_refund_that_was_ordered(status: str, kind: str) -> None:
    event = heard("refund.created", refund=refund(status), payment=payment("captured"))
    assert (event.reference, event.gateway_ref, event.kind) == (REFUND.idempotency_key, ORDER, kind)


def test_a_refund_by_hand_and_what_was_given_back_uncaptured() -> None:
    by_hand = refund(receipt=None)
    event = heard("refund.processed", refund=by_hand, payment=payment("captured"))
    assert (event.kind, event.reference) == ("payment.refunded", None)
    assert heard("refund.processed", refund=by_hand, payment=released()).kind == "payment.voided"


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("created", "dispute.opened"),
        ("action_required", "dispute.updated"),
        ("under_review", "dispute.updated"),
        ("won", "dispute.closed"),
        ("lost", "dispute.closed"),
        ("closed", "dispute.closed"),
    ],
)
def test_disputes_name_the_charge(word: str, kind: str) -> None:
    event = heard(f"payment.dispute.{word}", payment=payment("captured"), dispute=dispute())
    assert (event.kind, event.dispute_ref, event.gateway_ref) == (kind, DISPUTE, ORDER)
    assert event.amount is None


def test_either_secret_verifies_while_one_rolls() -> None:
    body = body_of("payment.captured", payment=payment("captured"))
    rolling = adapter(webhook_secrets=("old", "new"))
    for secret in ("old", "new"):
        assert rolling.parse_webhook(signed(body, secret=secret), body)


def test_what_is_forged_is_refused() -> None:
    body = body_of("payment.captured", payment=payment("captured"))
    forged = [
        (signed(body, secret="another"), body),
        (signed(body), body.replace(b"50000", b"50001")),
        (signed(body, event_id=""), body),
        ({"x-razorpay-event-id": "evt_1"}, body),
        (signed(b"[]"), b"[]"),
        (signed(b"{}"), b"{}"),
    ]
    for headers, sent in forged:
        with pytest.raises(InvalidWebhook):
            adapter().parse_webhook(headers, sent)
    with pytest.raises(InvalidWebhook):
        adapter(webhook_secrets=()).parse_webhook(signed(body, secret=""), body)


def test_razorpays_own_event_is_heard() -> None:
    event = gateway_spec("razorpay/fake_payment_authorized_webhook.json") | {"account_id": ACCOUNT}
    body = json.dumps(event).encode()
    (said,) = adapter().parse_webhook(signed(body), body)
    assert (said.kind, said.gateway_ref) == ("payment.authorized", "order_100000000order")
    assert said.amount == Money(1_000_000, "INR")


def dispute(status: str = "open", phase: str = "chargeback", **fields: Any) -> dict[str, Any]:
    return {
        "id": DISPUTE,
        "entity": "dispute",
        "payment_id": PAID,
        "amount": 10_000,
        "currency": "INR",
        "amount_deducted": 0,
        "reason_code": "chargeback",
        "respond_by": MADE_AT_S,
        "status": status,
        "phase": phase,
        "created_at": MADE_AT_S,
        **fields,
    }


def asked(shown: Any, *answers: HttpAnswer) -> Any:
    flow = adapter().get_dispute(DisputeQuery(DISPUTE, ORDER))
    return run(flow, shown if isinstance(shown, HttpAnswer) else answer(shown), *answers)[0]


def test_a_dispute_of_the_charge() -> None:
    assert asked(dispute(), answer(payment("captured"))) == DisputeReport(
        DISPUTE,
        ORDER,
        Money(10_000, "INR"),
        DisputeStatus.NEEDS_RESPONSE,
        "open",
        "general",
        "chargeback",
        datetime.fromtimestamp(MADE_AT_S, UTC),
    )


@pytest.mark.parametrize(
    ("status", "phase", "stands"),
    [
        ("open", "retrieval", DisputeStatus.WARNING),
        ("under_review", "fraud", DisputeStatus.WARNING),
        ("closed", "fraud", DisputeStatus.CLOSED),
        ("open", "pre_arbitration", DisputeStatus.NEEDS_RESPONSE),
        ("under_review", "chargeback", DisputeStatus.UNDER_REVIEW),
        ("won", "arbitration", DisputeStatus.WON),
        ("lost", "chargeback", DisputeStatus.LOST),
        ("what", "chargeback", None),
    ],
)
def test_how_a_dispute_stands(status: str, phase: str, stands: DisputeStatus | None) -> None:
    assert asked(dispute(status, phase), answer(payment("captured"))).status is stands


def test_another_charges_dispute_is_not_believed() -> None:
    assert isinstance(asked(dispute(), answer(payment("captured", order_id="order_2"))), Unknown)
    assert isinstance(asked(dispute(), answer(payment("captured", id_="pay_2"))), Unknown)
    assert isinstance(asked(dispute(id="disp_2")), Unknown)
    assert isinstance(asked(answer({}, 400)), Unknown)
    assert isinstance(asked(payment()), Unknown)
