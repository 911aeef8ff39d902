"""What a run needs of the database (`pipeline.ports`), held to one behaviour on PostgreSQL and in the model's tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from support.model_tables import Clock, Tables
from support.payments import A_RING, accept_one, rows

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.card_networks import CardDecline, CardHistory, card_key
from aegis_worker.domain.changes import AnswerAttempt, Change, FollowUp, FoundCharge, JobChange, OpenAttempt
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Fact, failed
from aegis_worker.errors import VersionConflict
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.pipeline.ports import JobStore

LEASE_S = 90.0


@dataclass(frozen=True)
class Stand:
    """A store with one accepted payment, and its time."""

    store: JobStore
    passes: Callable[[float], None]
    due_rechecks: Callable[[], int]

    def claim(self, queue: str = "payments") -> list[ClaimedJob]:
        return self.store.claim(queue, limit=10, lease_s=LEASE_S, worker="w")

    def claim_one(self, queue: str = "payments") -> ClaimedJob:
        (job,) = self.claim(queue)
        return job

    def record(self, *changes: Change) -> set[str]:
        return self.store.record(changes, {}, lease_s=LEASE_S)


@pytest.fixture(params=["postgresql", "model"])
def stand(request: pytest.FixtureRequest) -> Stand:
    if request.param == "model":
        clock = Clock(1_000_000.0)
        tables = Tables(clock, capture_method="automatic")

        def due() -> int:
            return sum((row.recheck_at or math.inf) <= clock.now for row in tables.attempts)

        return Stand(tables, lambda s: setattr(clock, "now", clock.now + s), due)
    database: Database = request.getfixturevalue("database")
    accept_one(database)

    def passes(seconds: float) -> None:
        earlier = f"- interval '{seconds} s'"
        database.run(
            lambda connection: connection.exec_driver_sql(
                f"UPDATE jobs SET lease_until = lease_until {earlier},"
                f" run_at = CASE status WHEN 'waiting' THEN run_at {earlier} ELSE run_at END"
            )
        )
        database.run(
            lambda connection: connection.exec_driver_sql(
                f"UPDATE attempts SET sent_at = sent_at {earlier}, answered_at = answered_at {earlier},"
                f" first_not_found_at = first_not_found_at {earlier}, recheck_at = recheck_at {earlier}"
            )
        )
        database.run(
            lambda connection: connection.exec_driver_sql(f"UPDATE card_declines SET at = at {earlier}")
        )

    assert len(rows(database, "SELECT 1 FROM jobs")) == 1
    overdue = "SELECT 1 FROM attempts WHERE recheck_at <= clock_timestamp()"
    return Stand(PostgresJobs(database, A_RING), passes, lambda: len(rows(database, overdue)))


def change(job: ClaimedJob, job_change: JobChange, *facts: Fact, **more: object) -> Change:
    payment, events = job.payment.record(facts)
    return Change(
        job.id,
        job.lease_epoch,
        payment,
        job.payment.version,
        events,
        job_change,
        **more,  # type: ignore[arg-type]
    )


def opening(job: ClaimedJob) -> Change:
    opened = OpenAttempt(
        Operation.PROCESS, 1, "a", f"{job.payment.id}-p1", "hash", {"candidates": ["a", "b"]}
    )
    return change(job, JobChange("running", progress=False), opened=opened)


def answering(
    job: ClaimedJob,
    status: str,
    job_change: JobChange | None = None,
    *,
    found: tuple[FoundCharge, ...] = (),
    **more: object,
) -> Change:
    answered = AnswerAttempt(Operation.PROCESS, 1, "a", AttemptStatus(status), **more)  # type: ignore[arg-type]
    return change(job, job_change or JobChange("running"), answered=answered, found=found)


def test_a_job_is_claimed_by_one_until_its_lease_is_over(stand: Stand) -> None:
    first = stand.claim_one()
    assert stand.claim() == []
    stand.passes(LEASE_S + 1)
    second = stand.claim_one()
    assert (second.id, second.lease_epoch) == (first.id, first.lease_epoch + 1)
    assert (first.left_behind, second.left_behind) == (False, True)


def test_a_job_of_another_queue_is_not_claimed(stand: Stand) -> None:
    assert stand.claim("verify") == []
    job = stand.claim_one()
    stand.record(change(job, JobChange("waiting", "verify", run_in_s=0.0)))
    stand.passes(1)
    assert stand.claim("payments") == []
    assert stand.claim_one("verify").id == job.id


def test_a_job_that_waits_is_claimed_when_it_is_due(stand: Stand) -> None:
    job = stand.claim_one()
    stand.record(change(job, JobChange("waiting", run_in_s=60.0)))
    assert stand.claim() == []
    stand.passes(61)
    assert stand.claim_one().id == job.id


@pytest.mark.parametrize("status", ["succeeded", "failed", "review"])
def test_a_job_that_has_ended_or_is_a_persons_is_claimed_by_nobody(stand: Stand, status: str) -> None:
    job = stand.claim_one()
    stand.record(change(job, JobChange(status)))  # type: ignore[arg-type]
    stand.passes(3600)
    assert stand.claim() == []


def test_whoever_lost_the_fence_writes_nothing(stand: Stand) -> None:
    zombie = stand.claim_one()
    stand.passes(LEASE_S + 1)
    holder = stand.claim_one()
    assert stand.record(opening(zombie)) == set()
    assert stand.record(change(zombie, JobChange("failed"), *failed({"code": "stolen_card"}))) == set()
    assert stand.record(opening(holder)) == {holder.id}
    stand.passes(LEASE_S + 1)
    assert [attempt.lease_epoch for attempt in stand.claim_one().attempts] == [holder.lease_epoch]


def test_what_was_decided_on_an_older_version_of_the_payment_is_not_written(stand: Stand) -> None:
    job = stand.claim_one()
    stand.record(change(job, JobChange("running"), *failed({"code": "stolen_card"})))
    again = change(job, JobChange("failed"), *failed({"code": "stolen_card"}))
    with pytest.raises(VersionConflict):
        stand.record(again)


def test_an_attempt_is_read_as_it_was_opened_and_answered(stand: Stand) -> None:
    job = stand.claim_one()
    stand.record(opening(job))
    stand.record(answering(job, "UNKNOWN", outcome=StoredOutcome(reason="read timeout")))
    stand.passes(LEASE_S + 1)
    (attempt,) = stand.claim_one().attempts
    assert (attempt.status, attempt.sends, attempt.checks) == ("UNKNOWN", 1, 0)
    assert attempt.outcome == StoredOutcome(reason="read timeout")
    assert (attempt.gateway, attempt.number, attempt.candidates) == ("a", 1, ("a", "b"))


def test_absences_are_counted_from_the_last_send(stand: Stand) -> None:
    job = stand.claim_one()
    stand.record(opening(job))
    for _ in range(2):
        stand.record(answering(job, "UNKNOWN", asked=True, not_found=True))
    stand.passes(LEASE_S + 1)
    later = stand.claim_one()
    (attempt,) = later.attempts
    assert (attempt.not_found_count, attempt.checks) == (2, 2)
    assert attempt.first_not_found_at_s is not None
    stand.record(answering(later, "SENT", asked=True, not_found=True, sent_again=True))
    stand.passes(LEASE_S + 1)
    (attempt,) = stand.claim_one().attempts
    assert (attempt.sends, attempt.not_found_count, attempt.first_not_found_at_s) == (2, 0, None)


def test_a_job_that_is_begun_and_left_counts_a_death_and_an_answer_forgets_it(stand: Stand) -> None:
    stand.record(opening(stand.claim_one()))
    stand.passes(LEASE_S + 1)
    second = stand.claim_one()
    assert second.claim_count == 1
    stand.record(answering(second, "UNKNOWN"))
    stand.passes(LEASE_S + 1)
    stand.claim_one()
    stand.passes(LEASE_S + 1)
    assert stand.claim_one().claim_count <= 1


def test_a_job_that_nobody_began_counts_no_death(stand: Stand) -> None:
    for _ in range(3):
        job = stand.claim_one()
        assert job.claim_count == 0
        stand.passes(LEASE_S + 1)


def test_a_death_that_was_none_is_taken_back(stand: Stand) -> None:
    slow = stand.claim_one()
    stand.record(opening(slow))
    stand.passes(LEASE_S + 1)
    assert stand.claim_one().claim_count == 1
    stand.store.excuse([slow])
    stand.passes(LEASE_S + 1)
    assert stand.claim_one().claim_count == 0


def test_what_is_handed_back_is_due_again_and_counts_no_death(stand: Stand) -> None:
    job = stand.claim_one()
    stand.store.begin([job])
    stand.store.hand_back([job], delay_s=10.0)
    assert stand.claim() == []
    stand.passes(11)
    again = stand.claim_one()
    assert (again.id, again.claim_count, again.left_behind) == (job.id, 0, False)


def test_what_lost_its_fence_is_not_handed_back(stand: Stand) -> None:
    zombie = stand.claim_one()
    stand.passes(LEASE_S + 1)
    holder = stand.claim_one()
    stand.store.hand_back([zombie], delay_s=0.0)
    assert stand.claim() == []
    assert stand.record(opening(holder)) == {holder.id}


def test_a_follow_up_is_the_payments_next_job(stand: Stand) -> None:
    job = stand.claim_one()
    follow_up = FollowUp(
        "refund", "payments", {"reverse": {"gateway": "a", "gateway_ref": "ch_1", "number": 1}}
    )
    stand.record(change(job, JobChange("succeeded", follow_up=follow_up)))
    following = stand.claim_one()
    assert following.id != job.id
    assert (following.operation, following.request) == (follow_up.operation, follow_up.request)


def declined(stand: Stand, code: str) -> tuple[ClaimedJob, bytes]:
    """A payment whose card was declined with this code just now."""
    job = stand.claim_one()
    stand.record(opening(job))
    key = card_key(job.payment.merchant_id, "tok_card")
    decline = CardDecline(job.payment.id, 1, job.payment.merchant_id, key, "visa", code)
    answer = answering(job, "DECLINED", outcome=StoredOutcome(code=code), recheck_in_s=900.0)
    assert stand.store.record([answer], {job.id: decline}, lease_s=LEASE_S) == {job.id}
    return job, key


def test_a_charge_that_was_given_up_is_asked_about_when_it_is_time_or_when_it_was_heard_of(
    stand: Stand,
) -> None:
    job, _ = declined(stand, "stolen_card")
    assert stand.due_rechecks() == 0
    stand.store.recheck_now([(job.payment.id, 2, None), ("pay_" + "9" * 32, 1, None)])
    assert stand.due_rechecks() == 0
    stand.store.recheck_now([(job.payment.id, 1, None)])
    assert stand.due_rechecks() == 1


def test_a_charge_that_was_given_up_is_asked_about_after_a_while(stand: Stand) -> None:
    declined(stand, "stolen_card")
    stand.passes(901)
    assert stand.due_rechecks() == 1


def test_a_charge_that_stands_is_not_asked_about_again(stand: Stand) -> None:
    job, _ = declined(stand, "stolen_card")
    stand.record(answering(job, "APPROVED", asked=True))
    stand.store.recheck_now([(job.payment.id, 1, None)])
    stand.passes(901)
    assert stand.due_rechecks() == 0


def test_a_charge_that_was_sent_twice_is_asked_about_again_although_it_stands(stand: Stand) -> None:
    job, _ = declined(stand, "stolen_card")
    stand.record(answering(job, "APPROVED", gateway_ref="ch_1", recheck_in_s=900.0))
    # A look at the payment by somebody else does not end that.
    stand.record(answering(job, "APPROVED", gateway_ref="ch_1", asked=True))
    assert stand.due_rechecks() == 0
    stand.passes(901)
    assert stand.due_rechecks() == 1


def test_a_charge_that_was_heard_of_under_another_reference_as_well_is_asked_about_at_once(
    stand: Stand,
) -> None:
    job, _ = declined(stand, "stolen_card")
    stand.record(answering(job, "APPROVED", gateway_ref="ch_1"))
    stand.store.recheck_now([(job.payment.id, 1, "ch_1")])
    assert stand.due_rechecks() == 0
    stand.store.recheck_now([(job.payment.id, 1, "ch_2")])
    assert stand.due_rechecks() == 1


def test_a_charge_that_was_shown_beside_another_is_an_attempt_of_its_own(stand: Stand) -> None:
    job, _ = declined(stand, "stolen_card")
    outcome = StoredOutcome(captured=True, duplicate=True)
    twin = FoundCharge(2, "a", "ch_2", f"{job.payment.id}-p1", "hash", outcome)
    shown = answering(job, "APPROVED", JobChange("waiting"), gateway_ref="ch_1", found=(twin,))
    assert stand.record(shown) == {job.id}
    first, second = stand.claim_one().attempts
    assert (first.number, first.gateway_ref, first.gateway_key) == (1, "ch_1", second.gateway_key)
    assert (second.number, second.gateway_ref, second.status) == (2, "ch_2", "APPROVED")
    assert (second.sends, second.outcome) == (1, outcome)


def test_declines_of_a_card_are_remembered_for_as_long_as_a_network_counts_them(stand: Stand) -> None:
    _, key = declined(stand, "stolen_card")
    assert stand.store.declined_lately({key, b"other"}) == {
        key: CardHistory(1, 1, "stolen_card"),
        b"other": CardHistory(),
    }
    stand.passes(86_401)
    assert stand.store.declined_lately({key}) == {key: CardHistory(0, 1, "stolen_card")}
    stand.passes(29 * 86_400)
    assert stand.store.declined_lately({key}) == {key: CardHistory()}


def test_a_decline_that_lost_its_fence_is_not_remembered(stand: Stand) -> None:
    zombie = stand.claim_one()
    stand.record(opening(zombie))
    stand.passes(LEASE_S + 1)
    stand.claim_one()
    key = card_key(zombie.payment.merchant_id, "tok_card")
    decline = CardDecline(zombie.payment.id, 1, zombie.payment.merchant_id, key, "visa", "stolen_card")
    assert stand.store.record([answering(zombie, "DECLINED")], {zombie.id: decline}, lease_s=LEASE_S) == set()
    assert stand.store.declined_lately({key}) == {key: CardHistory()}
