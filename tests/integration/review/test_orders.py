"""A person decides about a capture, cancel or refund in doubt: it has succeeded, or it has failed."""

from __future__ import annotations

from typing import Any

import pytest
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, held, ordering, payment_now, row_is_fold
from support.payments import accept_one, attempts_of, job_of, make_due, pipeline, rows, run_until_quiet
from support.reviews import DOWN, HASTY, SEEN, WHY
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Lookup,
    Movement,
    NotFound,
    Operation,
    Pending,
    Unknown,
)
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidState, ResolutionContradicted, ResolutionRefused
from aegis_worker.persistence.asking import sync_now
from aegis_worker.persistence.database import Database
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.review.resolve import Resolution, Resolved, ReviewParts, resolve
from aegis_worker.review.standing import carry_out_due
from aegis_worker.views.reviews import review_body


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("a", absence_window_s=0)


def in_doubt(database: Database, gateway: ScriptedGateway, kind: EntityKind, *, behind: bool = False) -> Any:
    """An order of which nobody knows what became: its gateway's look-ups are down. Returns payment and order."""
    if kind is REFUND:
        payment_id = accept_one(database).payment.id
        run_until_quiet(pipeline(database, gateway))
    else:
        payment_id = held(database, gateway)
    gateway.reverse = gateway.capturing = answering(Unknown("read timeout"))
    gateway.look_up = answering(DOWN)
    order = ordering(database, gateway, payment_id, kind, None if kind is VOID else 500, final=False)
    if behind:
        ordering(database, gateway, payment_id, kind, 100, "order-2", final=False)
    workers = pipeline(database, gateway, policy=HASTY)
    for _ in range(2):
        run_until_quiet(workers)
        make_due(database)
    assert job_of(database, payment_id)["status"] == "review"
    return payment_id, order.id


def decide(database: Database, payment_id: str, kind: Any, gateway: ScriptedGateway, **more: Any) -> Resolved:
    parts = ReviewParts(database, lambda: {"a": gateway}, lambda queue: None, 900.0)
    return resolve(parts, payment_id, Resolution(kind, WHY, **more), actor="cli:asha")


@pytest.mark.parametrize(
    ("kind", "state", "moved"),
    [
        (CAPTURE, State.AUTHORIZED, {"captured": 500, "capturable": 1499, "refundable": 500}),
        (VOID, State.CANCELLED, {}),
        (REFUND, State.SUCCESS, {"captured": 1999, "refunded": 500, "refundable": 1499}),
    ],
)
def test_what_a_person_found_to_have_succeeded_is_told_as_if_its_gateway_had_said_so(
    database: Database, gateway: ScriptedGateway, kind: EntityKind, state: State, moved: dict[str, int]
) -> None:
    payment_id, order = in_doubt(database, gateway, kind)
    gateway.look_up = answering(Approved("op_1", captured=kind is not VOID))
    assert decide(database, payment_id, "succeeded", gateway).checked == "confirmed"
    assert entity(database, order)["status"] == "succeeded"
    assert payment_now(database, payment_id).state is state
    assert amounts(database, payment_id) == {"authorized": 1999, **moved}
    (call,) = [one for one in attempts_of(database, payment_id) if one["number"] == 101]
    assert (call["status"], call["outcome"]["decided_by"], call["gateway_ref"]) == (
        "APPROVED",
        "operator",
        "op_1",
    )
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize("kind", [CAPTURE, VOID, REFUND])
@pytest.mark.parametrize("found", [Declined("generic_decline", "no"), NotFound()])
def test_what_a_person_found_to_have_failed_reserves_nothing_any_more(
    database: Database, gateway: ScriptedGateway, kind: EntityKind, found: Lookup
) -> None:
    payment_id, order = in_doubt(database, gateway, kind)
    gateway.look_up = answering(found)
    if isinstance(found, NotFound):
        # What its gateway does not show may be there all the same.
        with pytest.raises(ResolutionRefused):
            decide(database, payment_id, "failed", gateway)
    decide(database, payment_id, "failed", gateway, evidence=SEEN, force=True)
    stored, left = entity(database, order), amounts(database, payment_id)
    code = "generic_decline" if isinstance(found, Declined) else "resolved_not_done"
    assert (stored["status"], stored["error"]["code"]) == ("failed", code)
    assert ("capturing" in left, "refunding" in left) == (False, False)
    assert job_of(database, payment_id)["status"] == "failed"
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("succeeded", Declined("generic_decline", "no")),
        ("failed", Approved("op_1")),
        ("succeeded", Pending("op_1")),
        ("failed", Pending("op_1")),
    ],
)
def test_what_the_gateway_contradicts_is_refused(
    database: Database, gateway: ScriptedGateway, kind: str, says: Lookup
) -> None:
    payment_id, order = in_doubt(database, gateway, REFUND)
    gateway.look_up = answering(says)
    with pytest.raises(ResolutionContradicted):
        decide(database, payment_id, kind, gateway, evidence=SEEN, force=True)
    assert entity(database, order)["status"] == "pending"


def test_what_no_gateway_confirms_needs_evidence_and_waits(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id, order = in_doubt(database, gateway, REFUND)
    with pytest.raises(ResolutionRefused):
        decide(database, payment_id, "succeeded", gateway)
    assert decide(database, payment_id, "succeeded", gateway, evidence=SEEN).decision is not None
    assert entity(database, order)["status"] == "pending"
    over = "UPDATE decisions SET look_at = now(), takes_effect_at = now()"
    database.run(lambda connection: connection.exec_driver_sql(over))
    parts = ReviewParts(database, lambda: {"a": gateway}, lambda queue: None, 900.0)
    assert carry_out_due(parts)["took_effect"] == 1
    assert entity(database, order)["status"] == "succeeded"
    assert amounts(database, payment_id)["refunded"] == 500


def test_a_review_of_an_order_lists_what_may_be_decided_and_takes_nothing_about_its_charge(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id, _ = in_doubt(database, gateway, REFUND)
    with database.read() as connection:
        (waiting,) = list_reviews(connection, limit=10).rows
    assert review_body(waiting)["resolutions"] == ["succeeded", "failed", "ask_again"]
    with pytest.raises(InvalidState, match="waits for a person, not its charge"):
        decide(database, payment_id, "not_charged", gateway)


def test_what_waited_behind_the_order_gets_its_job_after_the_decision(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id, _ = in_doubt(database, gateway, REFUND, behind=True)
    gateway.look_up, gateway.reverse = gateway.by_ledger, gateway.reversed_once
    decide(database, payment_id, "failed", gateway, evidence=SEEN, force=True)
    run_until_quiet(pipeline(database, gateway))
    assert [row["status"] for row in rows(database, "SELECT status FROM refunds ORDER BY number")] == [
        "failed",
        "succeeded",
    ]
    assert amounts(database, payment_id)["refunded"] == 100
    assert row_is_fold(database, payment_id)


def test_what_a_person_called_failed_and_the_gateway_did_is_told_all_the_same(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id, order = in_doubt(database, gateway, REFUND)
    decide(database, payment_id, "failed", gateway, evidence=SEEN, force=True)
    done = Movement(Operation.REFUND, 500, "succeeded", f"{payment_id}b101", "re_1")
    gateway.look_up = answering(Approved("ch_1", True, 1999, 500, (done,), still_held=False))
    database.run(lambda connection: sync_now(connection, payment_id))
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, order)["status"] == "failed"
    (found,) = rows(database, "SELECT amount_minor, status FROM refunds WHERE origin = 'gateway'")
    assert found == {"amount_minor": 500, "status": "succeeded"}
    assert amounts(database, payment_id)["refunded"] == 500
    assert row_is_fold(database, payment_id)
