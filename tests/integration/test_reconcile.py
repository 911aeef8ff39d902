"""Reconcile: what was lost is found, what is in doubt is asked about, what disagrees is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from support.payments import accept_one, job_of, let_pass, payment_of, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Approved, Declined, NotFound, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.pipeline.run import run
from aegis_worker.reconcile import ReconcileParts, reconcile, sweep


class Told:
    """Remembers which queues were hinted at."""

    def __init__(self):
        self.queues = []

    def notify(self, queue):
        self.queues.append(queue)


def parts_for(database, *gateways, told=None):
    parts = pipeline(database, *gateways)
    return parts, ReconcileParts(database, parts.gateways, told or Told(), lambda: run(parts, "verify"))


def an_hour_ago():
    return datetime.now(UTC) - timedelta(hours=1)


def test_the_sweeper_hints_at_a_job_whose_message_was_lost(database):
    accept_one(database)
    told = Told()
    assert sweep(database, told) == {"payments": 1}
    assert told.queues == ["payments"]


def test_the_sweeper_is_silent_when_nothing_is_due(database):
    accept_one(database)
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    told = Told()
    assert (sweep(database, told), told.queues) == ({}, [])


def test_an_operators_run_settles_what_is_in_doubt_without_waiting_for_the_ladder(database):
    gateway = ScriptedGateway("a", lambda request: (gateway.charge(request), Unknown("reset"))[1])
    payment_id = accept_one(database).payment.id
    parts, reconciliation = parts_for(database, gateway)
    run(parts, "payments")
    result = reconcile(reconciliation, trigger="operator")
    assert result.found["waiting_for_the_gateway"] == 1
    assert result.fixed["settled"] == 1
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_a_dry_run_changes_nothing_and_says_what_it_found(database):
    gateway = ScriptedGateway("a", lambda request: Unknown("reset"))
    payment_id = accept_one(database).payment.id
    parts, reconciliation = parts_for(database, gateway)
    run(parts, "payments")
    before = job_of(database, payment_id)["run_at"]
    result = reconcile(reconciliation, trigger="operator", dry_run=True)
    assert (result.found["waiting_for_the_gateway"], result.fixed) == (1, {})
    assert job_of(database, payment_id)["run_at"] == before
    assert gateway.look_ups == []


def test_a_payment_that_lost_its_job_gets_one(database):
    payment_id = accept_one(database).payment.id
    database.run(lambda tx: tx.exec_driver_sql("DELETE FROM jobs"))
    database.run(lambda tx: tx.exec_driver_sql("UPDATE payments SET updated_at = now() - interval '5 min'"))
    parts, reconciliation = parts_for(database, ScriptedGateway("a"))
    result = reconcile(reconciliation, trigger="beat")
    assert (result.found["payments_without_a_job"], result.fixed["jobs_given"]) == (1, 1)
    run(parts, "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_a_charge_that_the_gateway_does_not_know_is_a_mismatch(database):
    gateway = ScriptedGateway("a")
    ids = [accept_one(database, key).payment.id for key in ("k1", "k2")]
    parts, reconciliation = parts_for(database, gateway)
    run(parts, "payments")
    let_pass(database, 150)
    gateway.look_up = lambda query: (
        NotFound() if query.reference.startswith(ids[0]) else gateway.by_ledger(query)
    )
    result = reconcile(reconciliation, trigger="operator", since=an_hour_ago())
    assert result.found["compared"] == 2
    assert result.mismatches == [
        {
            "payment_id": ids[0],
            "state": "SUCCESS",
            "gateways": [
                {
                    "gateway": "a",
                    "key": f"{ids[0]}-p1",
                    "says": "NotFound",
                    "expected": "a charge of 1999 USD",
                    "found": "nothing",
                }
            ],
        }
    ]


def test_a_charge_behind_a_failed_payment_is_a_mismatch(database):
    gateway = ScriptedGateway("a", lambda request: Unknown("reset"), key_lifetime_s=0, absence_window_s=0)
    accept_one(database)
    parts, reconciliation = parts_for(database, gateway)
    run(parts, "payments")
    database.run(lambda tx: tx.exec_driver_sql("UPDATE payments SET state = 'FAILURE'"))
    gateway.look_up = lambda query: Approved("ch_late")
    result = reconcile(reconciliation, trigger="operator", dry_run=True, since=an_hour_ago())
    assert [mismatch["state"] for mismatch in result.mismatches] == ["FAILURE"]


def test_a_late_charge_that_comparing_finds_is_told_and_given_back(database):
    gateway = ScriptedGateway("a", lambda request: Declined("stolen_card", "43"))
    payment_id = accept_one(database).payment.id
    parts, reconciliation = parts_for(database, gateway)
    run(parts, "payments")
    gateway.charges[f"{payment_id}-p1"] = "ch_late"
    result = reconcile(reconciliation, trigger="operator", since=an_hour_ago())
    assert (len(result.mismatches), result.fixed["asked_about"]) == (1, 1)
    for queue in ("verify", "payments", "verify"):
        run(parts, queue)
    assert list(gateway.reversals) == [f"{payment_id}-r1"]
    again = reconcile(reconciliation, trigger="operator", since=an_hour_ago())
    assert again.mismatches == []


def test_a_gateway_that_does_not_answer_is_no_mismatch(database):
    gateway = ScriptedGateway("a")
    accept_one(database)
    parts, reconciliation = parts_for(database, gateway)
    run(parts, "payments")
    gateway.look_up = lambda query: Unknown("status is down")
    result = reconcile(reconciliation, trigger="operator", since=an_hour_ago())
    assert (result.found["unanswered"], result.mismatches) == (1, [])


def test_every_run_is_written_down(database):
    _, reconciliation = parts_for(database, ScriptedGateway("a"))
    result = reconcile(reconciliation, trigger="operator", since=an_hour_ago())
    (row,) = rows(database, "SELECT * FROM reconciliation_runs")
    assert (row["id"], row["found"], row["dry_run"]) == (result.id, result.found, False)
    assert row["finished_at"] >= row["started_at"]
