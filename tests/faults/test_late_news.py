"""What gateways do with a charge later: late failures, dashboards, and gateways that can't be asked, under faults."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest
from support.orders import CAPTURE, REFUND, amounts, entity, held, ordering, row_is_fold
from support.payments import A_RING, end_leases, events_of, make_due, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway, answering
from support.told_gateway import ToldGateway

from aegis_worker.domain.gateway_events import NewEvent
from aegis_worker.domain.outcomes import Approved, Lookup, Movement, Operation, Outcome, Pending, Unknown
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.hints import NoHints
from aegis_worker.ids import new_id
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.asking import sync_now
from aegis_worker.persistence.database import Database


def refunded(database: Database, gateway: ScriptedGateway) -> tuple[str, str]:
    """A hold of which 8.00 USD were captured, and 3.00 of these refunded: the payment's id and the refund's."""
    gateway.shows_movements = True
    payment_id = held(database, gateway)
    ordering(database, gateway, payment_id, CAPTURE, 800, "order-0", final=False)
    run_until_quiet(pipeline(database, gateway))
    refund = ordering(database, gateway, payment_id, REFUND, 300, "refund-1")
    run_until_quiet(pipeline(database, gateway))
    return payment_id, refund.id


def kept(database: Database, payment_id: str, status: str) -> None:
    kind, reference = f"refund.{status}", f"{payment_id}b101"
    event = NewEvent(new_id("evt"), kind, reference, None, None, "waiting")
    keep = partial(gateway_event_rows.keep, ring=A_RING, gateway="a", account=None, events=[event], body=b"")
    database.run(keep)


def followed(database: Database, gateway: ScriptedGateway) -> None:
    """The inbox is worked off, and what it leads to, also what had to wait for another job."""
    due = "UPDATE gateway_events SET due_at = now() WHERE due_at IS NOT NULL"
    for _ in range(4):
        database.run(lambda connection: connection.exec_driver_sql(due))
        follow(FollowParts(database, {"a": gateway}, NoHints()))
        run_until_quiet(pipeline(database, gateway))


@pytest.mark.slow
@pytest.mark.row(77)
@pytest.mark.parametrize("seed", range(4))
def test_a_late_failure_is_told_once_however_its_events_come(database: Database, seed: int) -> None:
    gateway = ScriptedGateway("a", absence_window_s=0)
    payment_id, refund = refunded(database, gateway)
    gateway.fail_late(f"{payment_id}b101")
    happenings: list[Callable[[], object]] = [
        partial(kept, database, payment_id, "succeeded"),
        partial(kept, database, payment_id, "failed"),
        partial(kept, database, payment_id, "failed"),
        partial(followed, database, gateway),
        partial(ordering, database, gateway, payment_id, REFUND, 100, "refund-2"),
        lambda: database.run(lambda connection: sync_now(connection, payment_id)),
    ]
    random.Random(seed).shuffle(happenings)
    for happens in happenings:
        happens()
    followed(database, gateway)
    told = [event for event in events_of(database, payment_id) if event.type == "REFUND_FAILED"]
    assert [(event.data["refund_id"], event.data["late"]) for event in told] == [(refund, True)]
    assert amounts(database, payment_id)["refunded"] == 100
    assert row_is_fold(database, payment_id)


@pytest.mark.row(77)
def test_a_worker_that_dies_with_the_news_leaves_them_to_another(database: Database) -> None:
    gateway = ScriptedGateway("a", absence_window_s=0)
    payment_id, refund = refunded(database, gateway)
    gateway.fail_late(f"{payment_id}b101")

    def and_die(query: StatusQuery) -> Lookup:
        raise SystemExit("killed")

    gateway.look_up = and_die
    kept(database, payment_id, "failed")
    follow(FollowParts(database, {"a": gateway}, NoHints()))
    with pytest.raises(SystemExit):
        run_until_quiet(pipeline(database, gateway))
    gateway.look_up = gateway.by_ledger
    end_leases(database)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund)["status"] == "failed"
    assert row_is_fold(database, payment_id)


@pytest.mark.row(78)
def test_what_a_dashboard_did_while_our_answer_was_lost_is_counted_once_each(database: Database) -> None:
    gateway = ScriptedGateway("a", absence_window_s=0)
    payment_id, _ = refunded(database, gateway)
    theirs = Movement(Operation.REFUND, 200, gateway_ref="re_of_the_dashboard")

    def look_up(query: StatusQuery) -> Lookup:
        found = gateway.by_ledger(query)
        if not isinstance(found, Approved) or found.movements is None:
            return found
        refunded_minor = (found.refunded_minor or 0) + theirs.minor
        return Approved(
            found.gateway_ref, True, found.captured_minor, refunded_minor, (theirs, *found.movements)
        )

    gateway.look_up = look_up
    gateway.reverse = lambda request: (gateway.reversed_once(request), Unknown("reset"))[1]
    ours = ordering(database, gateway, payment_id, REFUND, 100, "refund-2")
    run_until_quiet(pipeline(database, gateway))
    kept(database, payment_id, "succeeded")
    make_due(database)
    followed(database, gateway)
    for _ in range(2):
        database.run(lambda connection: sync_now(connection, payment_id))
        run_until_quiet(pipeline(database, gateway))
    assert entity(database, ours.id)["status"] == "succeeded"
    found = rows(database, "SELECT amount_minor FROM refunds WHERE origin = 'gateway'")
    assert (found, amounts(database, payment_id)["refunded"]) == ([{"amount_minor": 200}], 600)
    assert row_is_fold(database, payment_id)


@pytest.mark.row(79)
@pytest.mark.parametrize("dies", [False, True])
def test_a_gateway_that_cant_be_asked_refunds_once_whatever_is_lost(database: Database, dies: bool) -> None:
    gateway = ToldGateway("a", database)
    payment_id = held(database, gateway)
    ordering(database, gateway, payment_id, CAPTURE, 800, "order-0", final=False)
    run_until_quiet(pipeline(database, gateway))

    def lost(request: GatewayRequest) -> Outcome:
        gateway.reversed_once(request)
        if dies:
            raise SystemExit("killed")
        return Unknown("reset")

    gateway.reverse = lost
    refund = ordering(database, gateway, payment_id, REFUND, 300, "refund-1")
    if dies:
        with pytest.raises(SystemExit):
            run_until_quiet(pipeline(database, gateway))
        end_leases(database)
    else:
        run_until_quiet(pipeline(database, gateway))
    gateway.reverse = answering(Pending("re_1"))
    make_due(database)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "pending"
    for _ in range(2):
        gateway.tells("REFUND", "re_1", 300, reference=f"{payment_id}b101")
        followed(database, gateway)
    assert entity(database, refund.id)["status"] == "succeeded"
    assert (len(gateway.reversals), amounts(database, payment_id)["refunded"]) == (1, 300)
    assert row_is_fold(database, payment_id)
