"""Claims, leases and fences: one holder at a time, and a zombie writes nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    end_leases,
    job_of,
    make_due,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.changes import Change, JobChange
from aegis_worker.domain.outcomes import Approved, NotSent
from aegis_worker.domain.payment import failed
from aegis_worker.domain.transitions import State
from aegis_worker.errors import VersionConflict
from aegis_worker.persistence.claims import claim, hand_back
from aegis_worker.persistence.record import record
from aegis_worker.pipeline.run import run
from aegis_worker.resilience.lock import PaymentLocks


def claim_all(database, *, limit=10, lease_s=90, worker="w"):
    return database.run(lambda tx: claim(tx, "payments", limit=limit, lease_s=lease_s, worker=worker))


def failing_change(job):
    payment, events = job.payment.record(failed({"code": "stolen_card"}))
    return Change(job.id, job.lease_epoch, payment, job.payment.version, events, JobChange("failed"))


def test_concurrent_claimers_never_get_the_same_job(database):
    for number in range(40):
        accept_one(database, f"k{number}")
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: claim_all(database, limit=7), range(8)))
    ids = [job.id for claimed in claims for job in claimed]
    assert len(ids) == len(set(ids)) == 40


def test_a_job_that_waits_is_not_claimed_before_its_time(database):
    accept_one(database)
    (job,) = claim_all(database)
    database.run(lambda tx: hand_back(tx, [job], delay_s=60))
    assert claim_all(database) == []
    make_due(database)
    assert [again.id for again in claim_all(database)] == [job.id]


def test_a_lease_that_ran_out_lets_another_worker_claim_under_a_higher_fence(database):
    accept_one(database)
    (first,) = claim_all(database)
    assert claim_all(database) == []
    end_leases(database)
    (second,) = claim_all(database)
    assert (second.id, second.lease_epoch) == (first.id, first.lease_epoch + 1)


def test_a_zombie_writes_nothing(database):
    payment_id = accept_one(database).payment.id
    (zombie,) = claim_all(database)
    end_leases(database)
    claim_all(database)
    assert database.run(lambda tx: record(tx, [failing_change(zombie)], lease_s=90)) == set()
    assert story_of(database, payment_id) == ["INITIATED"]
    assert job_of(database, payment_id)["status"] == "running"


def test_a_zombie_does_not_keep_its_neighbours_in_the_batch_from_being_written(database):
    ids = [accept_one(database, key).payment.id for key in ("k1", "k2")]
    jobs = claim_all(database)
    database.run(
        lambda tx: tx.exec_driver_sql(
            "UPDATE jobs SET lease_epoch = lease_epoch + 1 WHERE id = %(id)s", {"id": jobs[0].id}
        )
    )
    held = database.run(lambda tx: record(tx, [failing_change(job) for job in jobs], lease_s=90))
    assert held == {jobs[1].id}
    assert {payment_of(database, id_).state for id_ in ids} == {State.INITIATED, State.FAILURE}


def test_a_payment_that_moved_since_it_was_read_undoes_the_whole_write(database):
    ids = [accept_one(database, key).payment.id for key in ("k1", "k2")]
    changes = [failing_change(job) for job in claim_all(database)]
    moved = changes[0].payment.id
    database.run(
        lambda tx: tx.exec_driver_sql(
            "UPDATE payments SET version = version + 1 WHERE id = %(id)s", {"id": moved}
        )
    )
    with pytest.raises(VersionConflict) as conflict:
        database.run(lambda tx: record(tx, changes, lease_s=90))
    assert conflict.value.payment_ids == [moved]
    assert {payment_of(database, id_).state for id_ in ids} == {State.INITIATED}
    assert {job_of(database, id_)["status"] for id_ in ids} == {"running"}


class Death(BaseException):
    """The end of a worker."""


def die_during_the_call(database, gateway):
    """A worker claims, opens its attempt, and is never heard of again; whether it charged is up to `gateway`."""

    def dying(request):
        gateway.charge(request)
        raise Death

    doomed = ScriptedGateway(gateway.config.name, dying)
    doomed.look_up = dying_look_up
    with pytest.raises(Death):
        run(pipeline(database, doomed), "payments")


def dying_look_up(query):
    raise Death


def test_a_dead_workers_charge_is_found_by_the_next_and_not_repeated(database):
    payment_id = accept_one(database).payment.id
    gateway = ScriptedGateway("a")
    die_during_the_call(database, gateway)
    assert attempts_of(database, payment_id)[0]["status"] == "SENT"
    run_until_quiet(pipeline(database, gateway))
    assert payment_of(database, payment_id).state is State.PROCESSING
    end_leases(database)
    run_until_quiet(pipeline(database, gateway))
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert gateway.charges_of(payment_id) == 1
    assert gateway.calls == []


def test_a_worker_frozen_past_its_lease_charges_under_the_same_key_and_writes_nothing(database):
    payment_id = accept_one(database).payment.id
    frozen, thaw = threading.Event(), threading.Event()

    def freeze_before_charging(request):
        if not frozen.is_set():
            frozen.set()
            thaw.wait(20)
        return gateway.charge(request)

    gateway = ScriptedGateway("a", freeze_before_charging)
    parts = pipeline(database, gateway)
    sleeper = threading.Thread(target=run, args=(parts, "payments"))
    sleeper.start()
    frozen.wait(10)
    end_leases(database)
    run(parts, "payments")
    thaw.set()
    sleeper.join()
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert len(gateway.calls) == 2
    assert gateway.charges_of(payment_id) == 1
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "SUCCEEDED"]


def test_a_worker_that_takes_over_from_itself_writes_and_sends_for_its_newer_claim_only(database):
    calling, asking, answer = (threading.Event() for _ in range(3))

    def refused_when_it_wakes_up(request):
        calling.set()
        answer.wait(10)
        return NotSent("connection refused")

    def charged_all_the_same(query):
        asking.set()
        answer.wait(10)
        return Approved("ch_1")

    a, b = ScriptedGateway("a", refused_when_it_wakes_up), ScriptedGateway("b")
    a.look_up = charged_all_the_same
    payment_id = accept_one(database).payment.id
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, pipeline(database, a, b), "payments")
        assert calling.wait(10)
        end_leases(database)
        assert asking.wait(10)
        answer.set()
        assert running.result(10).lost == 1
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "SUCCEEDED"]
    assert b.calls == []


def test_a_payment_that_kills_its_worker_goes_to_review_and_the_others_flow(database):
    poison_id = accept_one(database, "poison").payment.id
    for _ in range(POLICY.poison_cap):
        die_during_the_call(database, ScriptedGateway("a"))
        end_leases(database)
    other_id = accept_one(database, "other").payment.id
    parts = pipeline(database, ScriptedGateway("a"))
    run(parts, "payments")
    make_due(database)
    run(parts, "payments")
    assert job_of(database, poison_id)["status"] == "review"
    assert story_of(database, poison_id) == ["INITIATED", "PROCESSING", "REVIEW_REQUIRED"]
    assert payment_of(database, other_id).state is State.SUCCESS


def test_a_payment_locked_by_another_worker_is_handed_back_untouched(database, redis_url):
    payment_id = accept_one(database).payment.id
    redis = Redis.from_url(redis_url)
    other = PaymentLocks(redis, token="other")
    assert other.acquire([payment_id], ttl_ms=60_000) == {payment_id}
    gateway = ScriptedGateway("a")
    parts = pipeline(database, gateway, locks=PaymentLocks(redis, token="mine"))
    report = run(parts, "payments")
    assert (report.handed_back, gateway.calls) == (1, [])
    assert job_of(database, payment_id)["claim_count"] == 0
    other.release([payment_id])
    make_due(database)
    run(parts, "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert redis.keys("aegis:lock:*") == []


@pytest.mark.slow
def test_a_dead_redis_does_not_stop_payments(database):
    payment_id = accept_one(database).payment.id
    nobody = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.3)
    run(pipeline(database, ScriptedGateway("a"), locks=PaymentLocks(nobody, token="mine")), "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS


def test_twenty_runs_at_once_charge_each_payment_once(database):
    ids = [accept_one(database, f"k{number}").payment.id for number in range(30)]
    gateway = ScriptedGateway("a", lambda request: gateway.charge(request))
    parts = pipeline(database, gateway, calls_in_flight=2)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: run(parts, "payments"), range(20)))
    assert [gateway.charges_of(id_) for id_ in ids] == [1] * 30
    assert len(gateway.calls) == 30
    assert rows(database, "SELECT DISTINCT status FROM jobs") == [{"status": "succeeded"}]
