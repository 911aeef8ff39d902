"""Runs of the audit: where it goes on, what becomes of what it finds, and who keeps off a frozen payment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.payments import (
    accept_one,
    attempts_of,
    end_leases,
    events_of,
    job_of,
    let_pass,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.audit.incidents import list_incidents
from aegis_worker.audit.run import AuditParts, AuditReport, audit_all, audit_on
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.changes import Change, JobChange
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import NotFound, Unknown
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.transitions import EventType
from aegis_worker.errors import PaymentFrozen
from aegis_worker.hints import NoHints
from aegis_worker.intake import request_sync
from aegis_worker.persistence.claims import claim
from aegis_worker.persistence.record import record
from aegis_worker.pipeline.run import run
from aegis_worker.reconcile import ReconcileParts, reconcile
from aegis_worker.review.resolve import Resolution, ReviewParts, resolve

AT_REST = Bounds(overdue_after_s=30, undelivered_after_s=3600, settles_after_s=0)


def auditing(database, *gateways, **changes):
    named = {gateway.config.name: gateway for gateway in gateways}
    return replace(AuditParts(database, named, AT_REST, batch=2, budget_s=60.0), **changes)


def incidents(database, **filters: Any):
    with database.read() as connection:
        return list_incidents(connection, limit=100, **filters)


def charged(database, key="key-1"):
    """A payment that succeeded at gateway a."""
    payment_id = accept_one(database, key).payment.id
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    return payment_id


def with_long_history(database, break_in, reviews=60):
    """A payment that succeeded and was then looked at by people again and again."""
    payment_id = charged(database)
    break_in(
        "INSERT INTO payment_events SELECT id, 3 + n, 'PAYMENT_REVIEW_REQUIRED', '{\"reason\": \"again\"}'"
        f" FROM payments, generate_series(1, {reviews}) n",
        f"UPDATE payments SET version = 3 + {reviews}",
        "DELETE FROM outbox",
    )
    return payment_id


def test_the_beat_goes_on_from_where_it_stopped_and_begins_again_at_the_end(database):
    for number in range(5):
        accept_one(database, f"k{number}")
    hurried = auditing(database, budget_s=0.0)
    assert [audit_on(hurried).payments for _ in range(4)] == [2, 2, 1, 2]
    cursor = rows(database, "SELECT position, rounds FROM audit_cursors WHERE name = 'payments'")
    assert (cursor[0]["rounds"], cursor[0]["position"]) == (1, sorted(ids_of(database))[1])


def ids_of(database) -> Sequence[str]:
    return [row["id"] for row in rows(database, "SELECT id FROM payments")]


def test_a_run_with_time_looks_at_everything_once(database):
    for number in range(5):
        accept_one(database, f"k{number}")
    report = audit_on(auditing(database))
    assert (report.payments, report.keys, report.violations) == (5, 5, [])
    assert (report.first_id, report.last_id) == (min(ids_of(database)), max(ids_of(database)))


def test_an_incident_is_opened_once_seen_again_and_resolved_when_it_is_fine(database, break_in):
    payment_id = charged(database)
    break_in("UPDATE attempts SET status = 'DECLINED'")
    assert audit_on(auditing(database)).opened == 1
    (first,) = incidents(database)
    assert (first.payment_id, first.invariant, first.resolved_at) == (payment_id, "I3", None)
    assert first.evidence == {"state": "SUCCESS", "charges": []}
    assert audit_on(auditing(database)).opened == 0
    (again,) = incidents(database)
    assert again.id == first.id
    assert again.last_seen_at > first.last_seen_at
    break_in("UPDATE attempts SET status = 'APPROVED'")
    assert audit_on(auditing(database)).resolved == 1
    (over,) = incidents(database, is_open=False)
    assert over.id == first.id
    assert incidents(database, is_open=True) == []


def test_an_incident_that_comes_back_is_a_new_one(database, break_in):
    charged(database)
    for status in ("DECLINED", "APPROVED", "DECLINED"):
        break_in(f"UPDATE attempts SET status = '{status}'")
        audit_on(auditing(database))
    assert [incident.resolved_at is None for incident in incidents(database)] == [True, False]


def test_an_incident_of_a_key_is_over_when_the_key_is_gone(database, break_in):
    accept_one(database)
    break_in("UPDATE idempotency_keys SET payment_id = 'pay_gone'")
    audit_on(auditing(database))
    assert "pay_gone" in {incident.payment_id for incident in incidents(database, invariant="I7")}
    break_in("DELETE FROM idempotency_keys")
    audit_on(auditing(database))
    assert incidents(database, is_open=True) == []


def test_a_payment_whose_events_do_not_lead_to_its_row_is_frozen_with_its_job_in_review(database, break_in):
    payment_id = accept_one(database).payment.id
    break_in("UPDATE payments SET state = 'PROCESSING'")
    report = audit_on(auditing(database))
    assert report.frozen == [payment_id]
    assert rows(database, "SELECT frozen_at IS NOT NULL AS frozen FROM payments") == [{"frozen": True}]
    job = job_of(database, payment_id)
    assert (job["status"], job["lease_epoch"]) == ("review", 1)
    assert job["reason"] == "frozen by the audit: row and events differ in state"
    assert incidents(database)[0].evidence == {
        "differences": {"state": {"row": "PROCESSING", "events": "INITIATED"}}
    }


def test_a_frozen_payment_that_had_ended_gets_a_job_in_review(database, break_in):
    payment_id = charged(database)
    break_in("UPDATE payments SET captured_minor = 5")
    audit_on(auditing(database))
    job = job_of(database, payment_id)
    assert (job["operation"], job["status"]) == ("sync", "review")


def test_freezing_twice_changes_nothing_more(database, break_in):
    payment_id = accept_one(database).payment.id
    break_in("UPDATE payments SET state = 'PROCESSING'")
    audit_on(auditing(database))
    before = (job_of(database, payment_id)["lease_epoch"], rows(database, "SELECT frozen_at FROM payments"))
    audit_on(auditing(database))
    assert before == (
        job_of(database, payment_id)["lease_epoch"],
        rows(database, "SELECT frozen_at FROM payments"),
    )


def test_what_is_only_late_is_an_incident_and_not_frozen(database, break_in):
    accept_one(database)
    break_in("UPDATE jobs SET run_at = now() - interval '1 h'")
    report = audit_on(auditing(database))
    assert ([violation.invariant for violation in report.violations], report.frozen) == (["I2"], [])
    assert rows(database, "SELECT frozen_at FROM payments") == [{"frozen_at": None}]


def test_a_worker_that_holds_the_job_of_a_frozen_payment_writes_nothing(database, break_in):
    payment_id = accept_one(database).payment.id
    gateway = ScriptedGateway("a", lambda request: freeze_meanwhile(request))

    def freeze_meanwhile(request):
        break_in("UPDATE payments SET captured_minor = 0, certainty = 'unknown'")
        assert audit_on(auditing(database)).frozen == [payment_id]
        return gateway.charge(request)

    report = run(pipeline(database, gateway), "payments")
    assert (report.claimed, report.lost, report.finished) == (1, 1, 0)
    assert [event.type for event in events_of(database, payment_id)] == [
        EventType.INITIATED,
        EventType.PROCESSING,
    ]
    assert [attempt["status"] for attempt in attempts_of(database, payment_id)] == ["SENT"]
    assert job_of(database, payment_id)["status"] == "review"


def test_nothing_is_recorded_for_a_frozen_payment_even_under_its_fence(database, break_in):
    payment_id = accept_one(database).payment.id
    (job,) = database.run(lambda tx: claim(tx, "payments", limit=1, lease_s=60, worker="w"))
    break_in("UPDATE payments SET frozen_at = now()")
    payment, events = job.payment.record([Fact(EventType.PROCESSING, {"gateway": "a"})])
    change = Change(job.id, job.lease_epoch, payment, 1, events, JobChange("succeeded"))
    assert database.run(lambda tx: record(tx, [change], lease_s=60)) == set()
    assert (payment_of(database, payment_id).version, job_of(database, payment_id)["status"]) == (
        1,
        "running",
    )


def test_the_job_of_a_frozen_payment_is_never_handed_out_and_goes_back_to_review(database, break_in):
    payment_id = accept_one(database).payment.id
    break_in("UPDATE payments SET state = 'PROCESSING'")
    audit_on(auditing(database))
    # As by whoever had looked at the payment just before it was frozen.
    break_in("UPDATE jobs SET status = 'waiting', run_at = now()")
    gateway = ScriptedGateway("a")
    run_until_quiet(pipeline(database, gateway))
    end_leases(database)
    run_until_quiet(pipeline(database, gateway))
    assert (gateway.calls, gateway.look_ups) == ([], [])
    audit_on(auditing(database))
    assert job_of(database, payment_id)["status"] == "review"


def test_a_frozen_payment_is_not_synchronised(database, break_in):
    payment_id = accept_one(database).payment.id
    break_in("UPDATE payments SET state = 'PROCESSING'")
    audit_on(auditing(database))
    with pytest.raises(PaymentFrozen, match="a person decides"):
        request_sync(database, Owner("m_1", "test"), payment_id)
    assert job_of(database, payment_id)["status"] == "review"


def test_reconciliation_leaves_a_frozen_payment_alone(database, break_in):
    accept_one(database)
    break_in(
        "UPDATE payments SET state = 'PROCESSING', frozen_at = now(), updated_at = now() - interval '1 h'"
    )
    break_in("DELETE FROM jobs")
    parts = pipeline(database, ScriptedGateway("a"))
    run_ = reconcile(
        ReconcileParts(database, parts.gateways, NoHints(), lambda: run(parts, "verify")), trigger="operator"
    )
    assert run_.found["payments_without_a_job"] == 0
    assert rows(database, "SELECT id FROM jobs") == []


def test_a_frozen_payment_that_a_person_has_rebuilt_goes_on(database, break_in):
    payment_id = accept_one(database).payment.id
    break_in("UPDATE payments SET state = 'PROCESSING'")
    audit_on(auditing(database))
    rebuild = Resolution("rebuild", "edited by hand, incident 12")
    resolve(ReviewParts(database, dict, lambda queue: None, 900.0), payment_id, rebuild, actor="cli:asha")
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    assert payment_of(database, payment_id).state == "SUCCESS"
    assert audit_on(auditing(database)).resolved == 1


def test_what_was_put_right_before_the_second_look_is_not_frozen(database, break_in, monkeypatch):
    payment_id = charged(database)
    break_in("UPDATE payments SET captured_minor = 5")
    parts = auditing(database, bounds=AT_REST)
    unlocked = parts.database.run

    def repaired_first(work):
        break_in("UPDATE payments SET captured_minor = 1999")
        return unlocked(work)

    monkeypatch.setattr(parts.database, "run", repaired_first)
    report = audit_on(parts)
    assert (report.frozen, report.violations) == ([], [])
    assert payment_of(database, payment_id).captured_minor == 1999


def test_a_long_history_gets_snapshots_and_is_folded_from_the_last_one(database, break_in):
    payment_id = with_long_history(database, break_in)
    assert audit_on(auditing(database)).snapshots == 1
    (kept,) = rows(database, "SELECT * FROM payment_snapshots")
    assert (kept["payment_id"], kept["seq"], kept["state"]["state"]) == (payment_id, 63, "SUCCESS")
    assert audit_on(auditing(database)).snapshots == 0
    # Nothing before the snapshot is read any more: what is illegal there shows only from the start.
    break_in("UPDATE payment_events SET type = 'PAYMENT_CANCELLED' WHERE seq = 10")
    assert audit_on(auditing(database)).violations == []
    assert {violation.invariant for violation in audit_all(auditing(database)).violations} == {"I6"}


def test_a_short_history_gets_no_snapshot(database, break_in):
    with_long_history(database, break_in, reviews=47)
    assert audit_on(auditing(database)).snapshots == 0


def test_a_snapshot_that_is_not_the_fold_is_an_incident_and_freezes_nothing(database, break_in):
    payment_id = with_long_history(database, break_in)
    audit_on(auditing(database))
    break_in("UPDATE payment_snapshots SET state = jsonb_set(state, '{captured_minor}', '5')")
    report = audit_on(auditing(database))
    assert report.frozen == []
    (incident,) = incidents(database, is_open=True)
    assert (incident.invariant, incident.payment_id) == ("I4", payment_id)
    assert incident.evidence["snapshots"]["63"]["snapshot"]["captured_minor"] == 5
    break_in("DELETE FROM payment_snapshots")
    assert audit_on(auditing(database)).resolved == 1


def test_a_snapshot_that_cannot_be_read_is_an_incident_and_freezes_nothing(database, break_in):
    with_long_history(database, break_in)
    audit_on(auditing(database))
    break_in("UPDATE payment_snapshots SET state = '{}'")
    report: AuditReport = audit_on(auditing(database))
    assert report.frozen == []
    assert [violation.invariant for violation in report.violations] == ["I4"]


def test_what_a_gateway_says_otherwise_is_an_incident_until_it_says_the_same(database):
    payment_id = charged(database)
    gateway = ScriptedGateway("a")
    gateway.look_up = lambda query: NotFound()
    report = audit_all(auditing(database, gateway), ask_gateways=True)
    assert (report.unanswered, incidents(database)) == (1, []), "the gateway may not show it yet"
    let_pass(database, 150)
    report = audit_all(auditing(database, gateway), ask_gateways=True)
    assert (report.compared, report.unanswered) == (1, 0)
    (incident,) = incidents(database)
    assert (incident.invariant, incident.payment_id, incident.looked) == ("I3", payment_id, "gateways")
    assert incident.evidence["gateways"] == [
        {
            "gateway": "a",
            "key": f"{payment_id}-p1",
            "says": "NotFound",
            "expected": "a charge of 1999 USD",
            "found": "nothing",
        }
    ]
    audit_on(auditing(database))
    gateway.look_up = lambda query: Unknown("down")
    assert audit_all(auditing(database, gateway), ask_gateways=True).unanswered == 1
    assert len(incidents(database, is_open=True)) == 1, "only an answer ends it"
    gateway.charges[f"{payment_id}-p1"] = "ch_1"
    gateway.look_up = gateway.by_ledger
    assert audit_all(auditing(database, gateway), ask_gateways=True).resolved == 1
