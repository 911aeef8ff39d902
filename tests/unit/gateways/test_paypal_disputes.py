"""What the PayPal adapter makes of disputes: by hand, without a socket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.flows import run
from support.paypal_answers import ACCOUNT, ORDER, adapter, answer, capture, usd

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Unknown
from aegis_worker.gateways.requests import DisputeQuery

QUERY = DisputeQuery("PP-D-27803", ORDER)
CAPTURED = capture()


def dispute(status: str = "WAITING_FOR_SELLER_RESPONSE", stage: str = "CHARGEBACK", **fields: Any) -> Any:
    disputed = {"seller_transaction_id": CAPTURED["id"], "seller": {"merchant_id": ACCOUNT}}
    return {
        "dispute_id": "PP-D-27803",
        "disputed_transactions": [disputed],
        "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
        "status": status,
        "dispute_amount": usd("5.00"),
        "dispute_life_cycle_stage": stage,
        "seller_response_due_date": "2026-10-11T04:18:00.000Z",
        **fields,
    }


def found(body: Any, its_capture: Any = CAPTURED) -> Any:
    return run(adapter().get_dispute(QUERY), answer(body), answer(its_capture))[0]


def test_a_dispute_names_its_capture_and_that_the_order() -> None:
    assert found(dispute()) == DisputeReport(
        gateway_ref="PP-D-27803",
        charge_ref=ORDER,
        amount=Money(500, "USD"),
        status=DisputeStatus.NEEDS_RESPONSE,
        gateway_status="WAITING_FOR_SELLER_RESPONSE",
        reason="product_not_received",
        gateway_reason="MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
        respond_by=datetime(2026, 10, 11, 4, 18, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("word", "stage", "outcome", "status"),
    [
        ("OPEN", "INQUIRY", None, DisputeStatus.WARNING),
        ("UNDER_REVIEW", "CHARGEBACK", None, DisputeStatus.UNDER_REVIEW),
        ("WAITING_FOR_BUYER_RESPONSE", "CHARGEBACK", None, DisputeStatus.UNDER_REVIEW),
        ("RESOLVED", "CHARGEBACK", "RESOLVED_BUYER_FAVOUR", DisputeStatus.LOST),
        ("RESOLVED", "CHARGEBACK", "RESOLVED_SELLER_FAVOUR", DisputeStatus.WON),
        ("RESOLVED", "CHARGEBACK", "RESOLVED_WITH_PAYOUT", DisputeStatus.WON),
        ("RESOLVED", "CHARGEBACK", "ACCEPTED", DisputeStatus.ACCEPTED),
        ("RESOLVED", "CHARGEBACK", "CANCELED_BY_BUYER", DisputeStatus.WON),
        ("RESOLVED", "INQUIRY", "CANCELED_BY_BUYER", DisputeStatus.CLOSED),
        ("RESOLVED", "CHARGEBACK", "A_NEW_WORD", None),
        ("A_NEW_WORD", "INQUIRY", None, None),
    ],
)
def test_how_a_dispute_stands(
    word: str, stage: str, outcome: str | None, status: DisputeStatus | None
) -> None:
    ended = {} if outcome is None else {"dispute_outcome": {"outcome_code": outcome}}
    shown = found(dispute(word, stage, **ended))
    assert (shown.status, shown.gateway_status) == (status, outcome or word)
    assert (shown.respond_by is None) == (status is not DisputeStatus.WARNING)


@pytest.mark.parametrize(
    ("body", "its_capture"),
    [
        (dispute(), capture(supplementary_data={"related_ids": {"order_id": "ANOTHER"}})),
        (dispute(), capture(supplementary_data=None)),
        (dispute(), capture(id_="ANOTHER")),
    ],
)
def test_a_dispute_of_another_charge_is_not_believed(body: Any, its_capture: Any) -> None:
    assert isinstance(found(body, its_capture), Unknown)


@pytest.mark.parametrize(
    "body",
    [
        dispute(dispute_id="ANOTHER"),
        dispute(
            disputed_transactions=[{"seller_transaction_id": "2G", "seller": {"merchant_id": "ANOTHER"}}]
        ),
        dispute(disputed_transactions=[]),
        dispute(dispute_amount=None),
    ],
)
def test_another_dispute_is_not_believed(body: Any) -> None:
    assert isinstance(run(adapter().get_dispute(QUERY), answer(body))[0], Unknown)


def test_a_dispute_that_is_not_found_proves_nothing() -> None:
    assert isinstance(run(adapter().get_dispute(QUERY), answer({}, 404))[0], Unknown)
