"""Braintree's notifications and disputes, as its official SDK makes and signs them: by hand, without a socket."""

from __future__ import annotations

import base64
import time
from typing import Any
from urllib.parse import urlencode

import braintree
import pytest
from braintree.util.crypto import Crypto
from support.braintree_answers import (
    CAPTURE,
    GIVEN_BACK,
    MERCHANT,
    PAYMENT,
    PRIVATE,
    PUBLIC,
    REFUND,
    SALE,
    adapter,
    dashed,
    refund,
    transaction,
)
from support.flows import run

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Unknown
from aegis_worker.errors import InvalidWebhook
from aegis_worker.gateways.base import GatewayEvent
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.requests import DisputeQuery

AT = "2026-09-21T14:13:20Z"
KINDS = braintree.WebhookNotification.Kind


def gateway(public: str = PUBLIC, private: str = PRIVATE) -> Any:
    config = braintree.Configuration(braintree.Environment.Sandbox, MERCHANT, public, private)
    return braintree.BraintreeGateway(config)


def form(payload: bytes, *signatures: str) -> bytes:
    return urlencode({"bt_signature": "&".join(signatures), "bt_payload": payload}).encode()


def notified(kind: str, subject: dict[str, Any], at: str = AT, *, private: str = PRIVATE) -> bytes:
    """A notification, signed as the SDK signs its samples."""
    told = (
        f'<timestamp type="datetime">{at}</timestamp><kind>{kind}</kind><subject>{dashed(subject)}</subject>'
    )
    payload = base64.encodebytes(f"<notification>{told}</notification>".encode())
    return form(payload, f"{PUBLIC}|{Crypto.sha1_hmac_hash(private, payload)}")


def heard(body: bytes, **config: Any) -> GatewayEvent:
    (event,) = adapter(**config).parse_webhook({}, body)
    return event


def sample(kind: str) -> bytes:
    made = gateway().webhook_testing.sample_notification(kind, "abc123")
    return form(made["bt_payload"], made["bt_signature"])


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        (KINDS.TransactionSettled, "payment.settled"),
        (KINDS.TransactionSettlementDeclined, "payment.failed"),
        (KINDS.TransactionDisbursed, "payment.settled"),
        (KINDS.DisputeOpened, "dispute.opened"),
        (KINDS.DisputeUnderReview, "dispute.updated"),
        (KINDS.DisputeWon, "dispute.closed"),
        (KINDS.SubscriptionChargedSuccessfully, "subscription_charged_successfully"),
    ],
)
def test_the_sdks_samples(kind: str, ours: str) -> None:
    event = heard(sample(kind), clock=time.time)
    assert event.kind == ours
    assert event.gateway_ref == "abc123"
    assert event.event_id == f"{kind}:abc123"
    assert (event.dispute_ref is not None) == ours.startswith("dispute.")


def test_a_sample_that_only_tries_the_address_out() -> None:
    assert adapter(clock=time.time).parse_webhook({}, sample(KINDS.Check)) == ()


def test_a_settled_charge() -> None:
    event = heard(notified("transaction_settled", {"transaction": transaction("settled")}))
    assert (event.reference, event.gateway_ref) == (f"{PAYMENT}-p1", SALE)
    assert (event.amount, event.account) == (Money(1999, "USD"), MERCHANT)


def test_a_charge_of_another_account() -> None:
    body = notified("transaction_settled", {"transaction": transaction("settled", merchant_account_id="x")})
    assert heard(body).account == "x"


@pytest.mark.parametrize(
    ("kind", "made", "ours", "reference", "ref"),
    [
        ("transaction_settled", refund("settled"), "refund.succeeded", REFUND.idempotency_key, SALE),
        (
            "transaction_settlement_declined",
            refund("settlement_declined"),
            "refund.failed",
            REFUND.idempotency_key,
            SALE,
        ),
        ("refund_failed", refund("settlement_declined"), "refund.failed", REFUND.idempotency_key, SALE),
        (
            "transaction_settled",
            refund("settled", order_id=f"{PAYMENT}-p1"),
            "payment.refunded",
            f"{PAYMENT}-p1",
            SALE,
        ),
        (
            "transaction_settled",
            transaction("settled", order_id=CAPTURE.idempotency_key, amount="5.00"),
            "payment.settled",
            CAPTURE.idempotency_key,
            SALE,
        ),
        (
            "transaction_settlement_declined",
            transaction("settlement_declined", order_id=CAPTURE.idempotency_key),
            "capture.failed",
            CAPTURE.idempotency_key,
            SALE,
        ),
    ],
)
def test_what_became_of_a_capture_or_a_refund(
    kind: str, made: dict[str, Any], ours: str, reference: str, ref: str
) -> None:
    event = heard(notified(kind, {"transaction": made}))
    assert (event.kind, event.reference, event.gateway_ref, event.amount) == (ours, reference, ref, None)


def test_the_same_notification_again_is_the_same_event_and_another_is_not() -> None:
    subject = {"transaction": transaction("settled")}
    first = heard(notified("transaction_settled", subject)).event_id
    assert heard(notified("transaction_settled", subject, at="2026-09-21T13:00:00Z")).event_id == first
    assert heard(notified("transaction_settled", {"transaction": refund("settled")})).event_id != first
    assert heard(notified("transaction_disbursed", subject)).event_id != first


def test_while_a_key_rolls_either_verifies() -> None:
    body = notified("transaction_settled", {"transaction": transaction("settled")}, private="the old one")
    assert heard(body, webhook_secrets=("the next one", "the old one"))
    with pytest.raises(InvalidWebhook):
        heard(body)


def test_a_signature_of_each_of_the_merchants_keys() -> None:
    payload = base64.encodebytes(
        b"<notification><timestamp>2026-09-21T14:13:20Z</timestamp><kind>check</kind><subject/></notification>"
    )
    ours = f"{PUBLIC}|{Crypto.sha1_hmac_hash(PRIVATE, payload)}"
    assert adapter().parse_webhook({}, form(payload, "other|00", ours)) == ()


SETTLED = {"transaction": transaction("settled")}
GOOD = notified("transaction_settled", SETTLED)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"bt_payload=abc",
        b"\xff\xfe",
        GOOD.replace(b"%7C", b"%7C0"),
        GOOD.replace(b"bt_payload=", b"bt_payload=QQ"),
        GOOD + b"&bt_payload=QQ",
        notified("transaction_settled", SETTLED, private="another"),
        notified("transaction_settled", SETTLED, private=""),
        notified("transaction_settled", SETTLED, at="2026-09-20T12:00:00Z"),
        notified("transaction_settled", SETTLED, at="2026-09-23T12:00:00Z"),
        notified("transaction_settled", SETTLED, at="yesterday"),
        notified("transaction_settled", {"transaction": {"id": SALE, "type": "sale"}}),
    ],
)
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidWebhook):
        adapter().parse_webhook({}, body)
    with pytest.raises(InvalidWebhook):
        adapter(webhook_secrets=()).parse_webhook({}, body)


def test_a_challenge_is_answered_as_the_sdk_answers_it() -> None:
    challenge = "20f9f8ed05f77439fe955c977e4c8a53"
    answered = adapter().answer_challenge({"bt_challenge": challenge})
    assert answered == gateway().webhook_notification.verify(challenge)
    for wrong in ({}, {"bt_challenge": "20F9"}, {"bt_challenge": f"{challenge}\n"}):
        with pytest.raises(InvalidWebhook):
            adapter().answer_challenge(wrong)


def dispute(**fields: Any) -> dict[str, Any]:
    return {
        "id": "dp1",
        "amount": "19.99",
        "amount_disputed": "5.00",
        "currency_iso_code": "USD",
        "kind": "chargeback",
        "merchant_account_id": "shop_usd",
        "reason": "fraud",
        "reply_by_date": "2026-10-01",
        "status": "open",
        "transaction": {"id": SALE, "amount": "19.99", "order_id": f"{PAYMENT}-p1"},
        **fields,
    }


def asked(**fields: Any) -> Any:
    answer = HttpAnswer(200, {}, dashed({"dispute": dispute(**fields)}).encode())
    return run(adapter().get_dispute(DisputeQuery("dp1", SALE)), answer)[0]


def test_a_dispute() -> None:
    shown = asked()
    assert isinstance(shown, DisputeReport)
    assert (shown.gateway_ref, shown.charge_ref, shown.amount) == ("dp1", SALE, Money(500, "USD"))
    assert (shown.status, shown.reason) == (DisputeStatus.NEEDS_RESPONSE, "fraudulent")
    assert shown.respond_by is not None
    assert shown.respond_by.isoformat() == "2026-10-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("kind", "word", "status"),
    [
        ("chargeback", "disputed", DisputeStatus.UNDER_REVIEW),
        ("pre_arbitration", "open", DisputeStatus.NEEDS_RESPONSE),
        ("chargeback", "auto_accepted", DisputeStatus.ACCEPTED),
        ("chargeback", "expired", DisputeStatus.UNDER_REVIEW),
        ("chargeback", "won", DisputeStatus.WON),
        ("chargeback", "lost", DisputeStatus.LOST),
        ("retrieval", "open", DisputeStatus.WARNING),
        ("retrieval", "expired", DisputeStatus.CLOSED),
        ("chargeback", "a_new_word", None),
    ],
)
def test_how_a_dispute_stands(kind: str, word: str, status: DisputeStatus | None) -> None:
    shown = asked(kind=kind, status=word)
    assert (shown.status, shown.gateway_status) == (status, word)


@pytest.mark.parametrize(
    "other", [{"id": "dp2"}, {"transaction": {"id": GIVEN_BACK}}, {"merchant_account_id": "somebody_elses"}]
)
def test_another_dispute_is_a_doubt(other: dict[str, Any]) -> None:
    assert isinstance(asked(**other), Unknown)


def test_the_event_of_a_dispute() -> None:
    event = heard(notified("dispute_opened", {"dispute": dispute()}))
    assert (event.kind, event.dispute_ref, event.gateway_ref) == ("dispute.opened", "dp1", SALE)
    assert (event.reference, event.account) == (f"{PAYMENT}-p1", MERCHANT)
