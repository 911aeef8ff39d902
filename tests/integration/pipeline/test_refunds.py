"""Refunds: in full, in parts, several, after partial captures, and apart from the reversals of charges too many."""

from __future__ import annotations

import pytest
from support.orders import CAPTURE, REFUND, amounts, entity, held, ordering, payment_now, row_is_fold
from support.payments import accept_one, attempts_of, make_due, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Declined, Outcome, Pending, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.errors import AmountExceedsRefundable, InvalidState
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("a")


def paid(database: Database, gateway: ScriptedGateway) -> str:
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    return payment_id


def refunded(database: Database, gateway: ScriptedGateway, payment_id: str, *minors: int) -> list[str]:
    ids = []
    for minor in minors:
        ids.append(ordering(database, gateway, payment_id, REFUND, minor, f"refund-{minor}").id)
        run_until_quiet(pipeline(database, gateway))
    return ids


def test_parts_add_up_and_the_payment_stays_a_success(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)
    ids = refunded(database, gateway, payment_id, 500, 700)
    assert [entity(database, id_)["status"] for id_ in ids] == ["succeeded"] * 2
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert amounts(database, payment_id) == {
        "authorized": 1999,
        "captured": 1999,
        "refunded": 1200,
        "refundable": 799,
    }
    assert sorted(gateway.reversals) == [f"{payment_id}b101", f"{payment_id}b102"]
    assert row_is_fold(database, payment_id)


def test_without_an_amount_all_that_is_left_goes_back(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)
    refunded(database, gateway, payment_id, 500)
    ordering(database, gateway, payment_id, REFUND)
    run_until_quiet(pipeline(database, gateway))
    assert amounts(database, payment_id) == {"authorized": 1999, "captured": 1999, "refunded": 1999}
    with pytest.raises(AmountExceedsRefundable):
        ordering(database, gateway, payment_id, REFUND, 1, "refund-1")
    assert row_is_fold(database, payment_id)


def test_what_was_captured_of_a_hold_can_be_refunded_while_the_rest_is_held(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    with pytest.raises(InvalidState):
        ordering(database, gateway, payment_id, REFUND, 1)
    ordering(database, gateway, payment_id, CAPTURE, 800, "capture-1")
    run_until_quiet(pipeline(database, gateway))
    refunded(database, gateway, payment_id, 300)
    assert amounts(database, payment_id) == {
        "authorized": 1999,
        "captured": 800,
        "refunded": 300,
        "capturable": 1199,
        "refundable": 500,
    }
    assert payment_now(database, payment_id).state is State.AUTHORIZED
    assert row_is_fold(database, payment_id)


def test_a_lost_answer_pays_back_once(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)

    def and_say_nothing(request: GatewayRequest) -> Outcome:
        gateway.reversed_once(request)
        return Unknown("read timeout")

    gateway.reverse = and_say_nothing
    (refund_id,) = refunded(database, gateway, payment_id, 500)
    assert (entity(database, refund_id)["status"], amounts(database, payment_id)["refunding"]) == (
        "pending",
        500,
    )
    make_due(database)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund_id)["status"] == "succeeded"
    assert [row["sends"] for row in attempts_of(database, payment_id)] == [1, 1]
    assert row_is_fold(database, payment_id)


def test_a_second_refund_goes_ahead_while_the_first_is_pending_at_the_gateway(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = lambda request: Pending("re_1")
    (first,) = refunded(database, gateway, payment_id, 500)
    gateway.reverse = gateway.reversed_once
    (second,) = refunded(database, gateway, payment_id, 700)
    assert [entity(database, id_)["status"] for id_ in (first, second)] == ["pending", "succeeded"]
    assert amounts(database, payment_id) == {
        "authorized": 1999,
        "captured": 1999,
        "refunded": 700,
        "refunding": 500,
        "refundable": 799,
    }
    assert row_is_fold(database, payment_id)


def test_a_refusal_frees_the_amount(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = lambda request: Declined("processing_error", "charge_disputed")
    (refund_id,) = refunded(database, gateway, payment_id, 500)
    stored = entity(database, refund_id)
    assert (stored["status"], stored["error"]["gateway_code"]) == ("failed", "charge_disputed")
    assert amounts(database, payment_id) == {"authorized": 1999, "captured": 1999, "refundable": 1999}
    assert row_is_fold(database, payment_id)
