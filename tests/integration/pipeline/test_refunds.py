"""Refunds: in full, in parts, several, after partial captures, and apart from the reversals of charges too many."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace
from support.orders import CAPTURE, REFUND, amounts, entity, held, ordering, payment_now, row_is_fold
from support.payments import (
    A_RING,
    accept_one,
    attempts_of,
    job_of,
    let_pass,
    make_due,
    pipeline,
    run_until_quiet,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.gateway_events import NewEvent
from aegis_worker.domain.outcomes import Approved, Declined, Lookup, Operation, Outcome, Pending, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.errors import AmountExceedsRefundable, InvalidState
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import check_now, open_checks


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


def until_settled(gateway: ScriptedGateway) -> ScriptedGateway:
    """The gateway, which refunds a charge only once it is settled. Its charges are not."""
    gateway.able(refunds_when_settled=True)

    def look_up(query: StatusQuery) -> Lookup:
        found = gateway.by_ledger(query)
        is_charge = query.operation is Operation.PROCESS and isinstance(found, Approved)
        return replace(found, settled=False) if is_charge else found

    gateway.look_up = look_up
    return gateway


def settled(gateway: ScriptedGateway) -> None:
    """From now on its charges are."""
    not_yet = gateway.look_up
    gateway.look_up = lambda query: (
        replace(found, settled=True) if isinstance(found := not_yet(query), Approved) else found
    )


def going_on(database: Database, gateway: ScriptedGateway, refund_id: str) -> None:
    """The time comes at which a waiting refund is looked at again."""
    database.run(lambda connection: check_now(connection, refund_id))
    database.run(lambda connection: open_checks(connection, limit=10))
    run_until_quiet(pipeline(database, gateway))


def test_a_refund_waits_until_its_charge_is_settled_where_the_gateway_wants_it(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, until_settled(gateway))
    (refund,) = refunded(database, gateway, payment_id, 500)
    assert (entity(database, refund)["status"], gateway.reversals) == ("waiting", {})
    assert amounts(database, payment_id)["refunding"] == 500
    going_on(database, gateway, refund)
    assert entity(database, refund)["status"] == "waiting"
    assert row_is_fold(database, payment_id)
    settled(gateway)
    going_on(database, gateway, refund)
    assert entity(database, refund)["status"] == "succeeded"
    assert (len(gateway.reversals), amounts(database, payment_id)["refunded"]) == (1, 500)
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize(("minor", "status"), [(500, "waiting"), (1999, "succeeded")])
def test_all_of_what_is_not_settled_is_given_back_at_once_where_the_gateway_voids_it(
    database: Database, gateway: ScriptedGateway, minor: int, status: str
) -> None:
    payment_id = paid(database, until_settled(gateway))
    gateway.able(refunds_when_settled=True, voids_what_is_not_settled=True)
    not_settled = gateway.look_up
    gateway.look_up = lambda query: (
        replace(found, captured_minor=1999, refunded_minor=0)
        if isinstance(found := not_settled(query), Approved)
        else found
    )
    (refund,) = refunded(database, gateway, payment_id, minor)
    assert entity(database, refund)["status"] == status
    assert row_is_fold(database, payment_id)


def test_a_charge_that_is_never_settled_has_its_refund_handed_to_a_person(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, until_settled(gateway))
    (refund,) = refunded(database, gateway, payment_id, 500)
    let_pass(database, 31 * 86_400)
    going_on(database, gateway, refund)
    assert job_of(database, payment_id)["status"] == "review"
    assert entity(database, refund)["status"] == "waiting"


def test_the_gateways_word_that_the_charge_is_settled_ends_the_wait(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, until_settled(gateway))
    (refund,) = refunded(database, gateway, payment_id, 500)
    settled(gateway)
    event = NewEvent("evt_1", "payment.settled", f"{payment_id}-p1", None, None, "waiting")
    keep = partial(gateway_event_rows.keep, ring=A_RING, gateway="a", account=None, events=[event], body=b"")
    database.run(keep)
    follow(FollowParts(database, {"a": gateway}, NoHints()))
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund)["status"] == "succeeded"


class NoHints:
    def notify(self, queue: str) -> None:
        """Do nothing: the tests run the workers."""
