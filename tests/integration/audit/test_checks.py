"""The audit's checks on a real database: a healthy one is healthy, and each broken invariant is found with its evidence."""

from __future__ import annotations

from typing import Any

import pytest
from support.outbox_events import claim_and_fan_out
from support.payments import accept_one, make_due, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.audit.batches import check_payments, pages
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Declined,
    NotSent,
    Operation,
    Pending,
    Unknown,
)
from aegis_worker.domain.transitions import State
from aegis_worker.persistence import delivery_rows, endpoint_rows, merchant_deliveries, outbox_rows
from aegis_worker.persistence.delivery_rows import Settlement

AT_REST = Bounds(overdue_after_s=30, undelivered_after_s=3600, settles_after_s=0)


def found_in(database, bounds=AT_REST):
    return [violation for page in pages(database, bounds, batch=2) for violation in page.violations]


def only_violation(database, bounds=AT_REST):
    (violation,) = found_in(database, bounds)
    return violation


def a_payment_in_each_state(database):
    """Payments that ended, wait, were declined, failed over, are in doubt, act and are pending; returns their ids."""
    answers = {
        "hard": Declined("stolen_card", "x"),
        "soft": Declined("issuer_unavailable", "x"),
        "unreachable": NotSent("refused"),
        "doubt": Unknown("reset"),
        "pending": Pending("p_1"),
        "action": ActionRequired("a_1", Redirect("https://bank.example/3ds")),
    }

    def script(request):
        answer = answers.get(request.terms.payment_method["token"])
        return answer or first.charge(request)

    first = ScriptedGateway("a", script, steps=(Operation.AUTHENTICATE, Operation.PROCESS))
    first.look_up = lambda query: Unknown("down") if "doubt" in query.reference else first.by_ledger(query)
    second = ScriptedGateway("b")
    parts = pipeline(database, first, second)
    ids = {}
    for token in ("ok", *answers):
        method = {"type": "card", "token": token}
        ids[token] = accept_one(database, token, payment_method=method, amount=Money(100, "USD")).payment.id
    run_until_quiet(parts)
    ids["new"] = accept_one(database, "new").payment.id
    return ids


def deliver_everything(database, limit=500):
    """Drain the outbox as a drainer would, and post what it fanned out."""
    while True:
        claim = database.run(lambda tx: claim_and_fan_out(tx, limit=limit, lease_s=60))
        if not claim.moved:
            break
        database.run(lambda tx, claim=claim: outbox_rows.remove(tx, claim.events))
    while True:
        due = database.run(
            lambda tx: delivery_rows.claim(tx, limit=limit, per_endpoint=limit, skip=(), lease_s=60)
        )
        if not due.moved:
            return
        done = [Settlement(delivery, "delivered", entry={"status_code": 200}) for delivery in due.deliveries]
        database.run(lambda tx, done=done: delivery_rows.settle(tx, done))


@pytest.fixture
def endpoint_id(database, break_in):
    """An endpoint of m_1 that has been there for an hour."""
    row = database.run(
        lambda tx: endpoint_rows.insert(
            tx,
            id="whe_1",
            owner=Owner("m_1", "test"),
            url="https://shop.example/hook",
            event_types=(),
            most=10,
        )
    )
    break_in("UPDATE webhook_endpoints SET created_at = now() - interval '1 h'")
    return row.id


def test_a_healthy_database_has_no_findings(database, endpoint_id):
    ids = a_payment_in_each_state(database)
    assert found_in(database) == []
    deliver_everything(database)
    make_due(database)
    assert found_in(database, Bounds()) == []
    assert [page.payment_ids for page in pages(database, batch=3)][:1] == [sorted(ids.values())[:3]]


def test_batches_go_on_where_the_last_one_ended(database):
    ids = [accept_one(database, f"k{number}").payment.id for number in range(5)]
    with database.read() as connection:
        first = check_payments(connection, limit=3)
        assert first.cursor is not None
        second = check_payments(connection, first.cursor, limit=3)
    assert (first.payment_ids, first.cursor) == (ids[:3], ids[2])
    assert (second.payment_ids, second.cursor) == (ids[3:], None)


# What is done to a payment that succeeded at gateway a, how the audit calls it, and what stands in the evidence.
BROKEN: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "charged twice": (
        "INSERT INTO attempts SELECT payment_id, operation, 2, 'b', gateway_key, request_hash, status, gateway_ref,"
        " outcome, decision, lease_epoch FROM attempts",
        "I1",
        "charged 2 times",
        {"charges": ["a/1", "b/2"]},
    ),
    "success without a charge": (
        "UPDATE attempts SET status = 'DECLINED'",
        "I3",
        "no gateway has told us of a charge",
        {"state": "SUCCESS", "charges": []},
    ),
    "an event is gone": (
        "DELETE FROM payment_events WHERE seq = 2; DELETE FROM outbox",
        "I4",
        "events are missing",
        {"events": 2, "last_seq": 3},
    ),
    "the amount was changed": (
        "UPDATE payments SET captured_minor = 999",
        "I4",
        "row and events differ in captured_minor",
        {"differences": {"captured_minor": {"row": 999, "events": 1999}}},
    ),
    "the version was changed": (
        "UPDATE payments SET version = 4",
        "I4",
        "row and events differ in version",
        {"differences": {"version": {"row": 4, "events": 3}}},
    ),
    "the outbox holds an event that never was": (
        "UPDATE outbox SET seq = 9 WHERE seq = 3",
        "I4",
        "events that never were; events left the outbox before event 1",
        {"never_told": [9], "waiting": [1, 2, 9], "left_early": [3]},
    ),
    "an event was taken out before an earlier one": (
        "DELETE FROM outbox WHERE seq = 2",
        "I4",
        "left the outbox before event 1",
        {"waiting": [1, 3], "left_early": [2]},
    ),
    "an event follows the end": (
        "INSERT INTO payment_events VALUES ((SELECT id FROM payments), 4, 'PAYMENT_FAILED', '{}')",
        "I6",
        "the history is impossible",
        {
            "history": [
                "1 PAYMENT_INITIATED",
                "2 PAYMENT_PROCESSING",
                "3 PAYMENT_SUCCEEDED",
                "4 PAYMENT_FAILED",
            ]
        },
    ),
    "an event of no known type": (
        "UPDATE payment_events SET type = 'PAYMENT_LOST' WHERE seq = 2",
        "I6",
        "the history is impossible",
        {"error": "'PAYMENT_LOST' is not a valid EventType"},
    ),
    "two keys": (
        "INSERT INTO idempotency_keys SELECT merchant_id, route, 'other', request_hmac, payment_id, job_id, created_at"
        " FROM idempotency_keys",
        "I7",
        "accepted under 2 keys",
        {},
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_was_broken_is_found_with_its_evidence(database, break_in, broken):
    statement, invariant, summary, evidence = BROKEN[broken]
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    assert found_in(database) == []
    break_in(statement)
    found = {violation.invariant: violation for violation in found_in(database)}
    violation = found.pop(invariant)
    assert violation.payment_id == payment_id
    assert summary in violation.summary
    assert violation.evidence == {**violation.evidence, **evidence}
    assert violation.breaks_history == (invariant == "I6" or "differ" in summary or "missing" in summary)
    # One more event than the row knows of, too, is no outbox row: everything else is as it should be.
    assert set(found) <= {"I4"} if broken == "an event follows the end" else not found


def test_a_payment_that_nobody_works_on_is_found(database, break_in):
    accept_one(database)
    break_in("DELETE FROM jobs")
    violation = only_violation(database)
    assert (violation.invariant, violation.summary) == ("I2", "INITIATED and nobody works on it")
    assert found_in(database, Bounds()) == [], "it may just have been accepted"


@pytest.mark.parametrize(
    ("statement", "summary"),
    [
        ("UPDATE jobs SET run_at = now() - interval '1000 s'", "job due for 1000 s"),
        (
            "UPDATE jobs SET status = 'running', lease_until = now() - interval '1000 s'",
            "job held past its lease for 1000 s",
        ),
    ],
)
def test_a_job_that_is_overdue_is_found(database, break_in, statement, summary):
    accept_one(database)
    break_in(statement)
    violation = only_violation(database, Bounds())
    assert (violation.invariant, violation.summary) == ("I2", summary)
    assert found_in(database, Bounds(overdue_after_s=2000)) == []


def test_a_job_in_review_is_with_a_person(database, break_in):
    accept_one(database)
    break_in("UPDATE jobs SET status = 'review', run_at = now() - interval '30 d'")
    assert found_in(database) == []


def test_a_charge_behind_a_failed_payment_is_found_until_it_was_told(database, break_in):
    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("a", lambda request: Declined("stolen_card", "x"))))
    break_in("UPDATE attempts SET status = 'APPROVED', outcome = '{\"captured\": true}'")
    violation = only_violation(database)
    assert (violation.invariant, violation.evidence["state"]) == ("I3", State.FAILURE)
    break_in(
        "INSERT INTO payment_events VALUES ((SELECT id FROM payments), 4, 'PAYMENT_DUPLICATE_DETECTED', '{}')",
        "UPDATE payments SET version = 4",
        "DELETE FROM outbox",
    )
    assert found_in(database) == []


def test_a_second_charge_that_was_reversed_is_no_second_charge(database, break_in):
    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    copy = (
        "INSERT INTO attempts SELECT payment_id, '{operation}', 2, 'b', gateway_key, request_hash, status, gateway_ref,"
        " outcome, decision, lease_epoch FROM attempts WHERE number = 1"
    )
    break_in(copy.format(operation="process"))
    assert only_violation(database).invariant == "I1"
    break_in(copy.format(operation="refund"))
    assert found_in(database) == []


def test_an_event_that_stays_in_the_outbox_is_found(database, break_in):
    accept_one(database)
    break_in("UPDATE outbox SET created_at = now() - interval '4000 s'", "UPDATE jobs SET run_at = now()")
    violation = only_violation(database, Bounds(undelivered_after_s=3600))
    assert (violation.invariant, violation.summary) == ("I4", "undelivered for 4000 s")
    assert not violation.breaks_history


def test_an_event_without_a_delivery_to_an_endpoint_that_was_there_is_found(database, break_in, endpoint_id):
    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    deliver_everything(database)
    assert found_in(database) == []
    break_in("DELETE FROM webhook_deliveries WHERE seq = 2")
    violation = only_violation(database)
    assert violation.invariant == "I5"
    assert violation.evidence["not_fanned_out"] == [
        {"endpoint_id": endpoint_id, "seq": 2, "type": "PAYMENT_PROCESSING"}
    ]


def test_an_endpoint_made_later_owes_nothing_for_earlier_events(database, break_in, endpoint_id):
    accept_one(database)
    break_in("UPDATE webhook_endpoints SET created_at = now()", "DELETE FROM outbox")
    assert found_in(database) == []


@pytest.mark.parametrize(
    "earlier",
    [
        "status = 'pending', tries = 0, lease_epoch = 0, log = '[]', delivered_at = NULL",
        "delivered_at = delivered_at + interval '1 s'",
    ],
)
def test_a_delivery_before_an_earlier_one_is_found(database, break_in, endpoint_id, earlier):
    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    deliver_everything(database)
    break_in(f"UPDATE webhook_deliveries SET {earlier} WHERE seq = 1")
    violation = only_violation(database)
    assert violation.invariant == "I5"
    assert [one["seq"] for one in violation.evidence["out_of_order"]] == [2, 3]


def test_a_delivery_whose_claim_was_lost_proves_nothing(database, break_in, endpoint_id):
    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    deliver_everything(database)
    break_in(
        "UPDATE webhook_deliveries SET lease_epoch = 2, delivered_at = delivered_at + interval '1 s' WHERE seq = 1"
    )
    assert found_in(database) == []


def test_a_delivery_that_was_asked_for_again_is_not_out_of_order(database, endpoint_id):
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    deliver_everything(database)
    assert (
        database.run(lambda tx: merchant_deliveries.deliver_again(tx, Owner("m_1", "test"), payment_id, 1))
        == 1
    )
    assert found_in(database) == []
    deliver_everything(database)
    assert found_in(database) == []


@pytest.mark.parametrize(
    ("statement", "summary"),
    [
        ("SET payment_id = 'pay_gone'", "an idempotency key leads to no payment"),
        ("SET merchant_id = 'm_2'", "an idempotency key leads to another merchant's payment"),
        (
            "SET created_at = created_at + interval '1 min'",
            "an idempotency key was made apart from its payment",
        ),
    ],
)
def test_a_key_that_leads_elsewhere_is_found(database, break_in, statement, summary):
    accept_one(database)
    earlier = "created_at = created_at - interval '2 min'"
    break_in(f"UPDATE payments SET {earlier}", f"UPDATE idempotency_keys SET {earlier}")
    break_in(f"UPDATE idempotency_keys {statement}")
    found = found_in(database)
    assert summary in {violation.summary for violation in found}
    assert {violation.invariant for violation in found} == {"I7"}


def test_two_payments_under_one_key_are_found(database, break_in):
    first = accept_one(database, "first").payment.id
    second = accept_one(database, "second").payment.id
    break_in(f"UPDATE idempotency_keys SET payment_id = '{first}' WHERE key = 'second'")
    by_payment = {violation.payment_id: violation.summary for violation in found_in(database)}
    assert by_payment == {
        first: "accepted under 2 keys",
        second: "accepted without a key, or its key is another payment's",
    }
