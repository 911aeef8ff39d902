"""What the Stripe adapter makes of disputes: by hand, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.gateway_specs import gateway_spec

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeLookup, DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Unknown
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall
from aegis_worker.gateways.requests import DisputeQuery
from aegis_worker.gateways.stripe.adapter import StripeAdapter

ASKED = DisputeQuery("dp_1", "pi_1")


def dispute(**fields: Any) -> dict[str, Any]:
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 1999,
        "currency": "usd",
        "evidence_details": {"due_by": 1_796_400_000, "has_evidence": False},
        "livemode": False,
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
        **fields,
    }


def answered(status: int, body: Any, query: DisputeQuery = ASKED) -> DisputeLookup:
    """The dispute as the adapter reads it from an answer to its one call."""
    config = GatewayConfig("stripe", "stripe", "https://api.stripe.com", "sk_test_1")
    flow = StripeAdapter(config).get_dispute(query)
    call = next(flow)
    assert isinstance(call, HttpCall)
    assert (call.method, call.path, call.only_reads) == ("GET", f"/v1/disputes/{query.dispute_ref}", True)
    with pytest.raises(StopIteration) as end:
        flow.send(HttpAnswer(status, {}, json.dumps(body).encode()))
    said: DisputeLookup = end.value.value
    return said


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("warning_needs_response", DisputeStatus.WARNING),
        ("warning_under_review", DisputeStatus.WARNING),
        ("warning_closed", DisputeStatus.CLOSED),
        ("needs_response", DisputeStatus.NEEDS_RESPONSE),
        ("under_review", DisputeStatus.UNDER_REVIEW),
        ("appeal_needs_response", DisputeStatus.NEEDS_RESPONSE),
        ("appeal_under_review", DisputeStatus.UNDER_REVIEW),
        ("prevented", DisputeStatus.ACCEPTED),
        ("won", DisputeStatus.WON),
        ("lost", DisputeStatus.LOST),
        ("a_word_of_next_year", None),
    ],
)
def test_each_status_of_a_dispute_has_its_word_here(word: str, status: DisputeStatus | None) -> None:
    shown = answered(200, dispute(status=word))
    assert isinstance(shown, DisputeReport)
    assert (shown.status, shown.gateway_status) == (status, word)
    assert (shown.respond_by is not None) == word.endswith("needs_response")


def test_a_dispute_is_read_with_its_money_and_reason() -> None:
    shown = answered(200, dispute(reason="bank_cannot_process", amount=500))
    assert isinstance(shown, DisputeReport)
    assert (shown.amount, shown.reason, shown.gateway_reason) == (
        Money(500, "USD"),
        "authorization",
        "bank_cannot_process",
    )


@pytest.mark.parametrize(
    "other",
    [
        {"id": "dp_2"},
        {"payment_intent": "pi_2"},
        {"payment_intent": None},
        {"livemode": True},
        {"object": "charge"},
        {"amount": "500"},
        {"currency": "xxx"},
        {"evidence_details": None},
    ],
)
def test_a_dispute_that_is_not_the_one_asked_about_or_unreadable_is_unknown(other: dict[str, Any]) -> None:
    assert isinstance(answered(200, dispute(**other)), Unknown)


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_dispute_that_is_not_shown_is_unknown(status: int) -> None:
    assert isinstance(answered(status, {}), Unknown)


def test_the_dispute_that_stripe_publishes_is_read() -> None:
    published = {**gateway_spec("stripe/fixtures3.json")["resources"]["dispute"], "payment_intent": "pi_1"}
    shown = answered(200, published, DisputeQuery(published["id"], "pi_1"))
    assert isinstance(shown, DisputeReport)
    assert (shown.status, shown.reason) == (DisputeStatus.WARNING, "general")
