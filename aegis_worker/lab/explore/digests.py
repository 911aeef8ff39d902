"""Sixteen bytes that stand for a value: equal for equal futures, because all that decides about the future is in them.

Words that only people read are left out, and so is what never changes within one exploration.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from msgspec.msgpack import Encoder

from aegis_worker.domain.attempts import Attempt, StoredOutcome
from aegis_worker.domain.changes import AnswerAttempt, Change
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.payment import Payment
from aegis_worker.pipeline.held import Held
from aegis_worker.pipeline.work import Ask, Rest, Send, SendAgain, Step, Work

from .hands import Hand
from .ledger import Ledger
from .rows import Rows

_ENCODE = Encoder().encode


def digest(value: Any) -> bytes:
    """Of anything that is plain."""
    return blake2b(_ENCODE(value), digest_size=16).digest()


def of_rows(rows: Rows) -> bytes:
    """Of the tables."""
    return digest(
        (
            _payment(rows.payment),
            rows.job,
            rows.made,
            rows.outbox - rows.payment.version,
            [(_attempt(row.attempt), row.recheck_at, row.rechecks) for row in rows.attempts],
            [(one.code, one.number, at) for one, at in rows.declines],
            rows.entities,
            rows.told,
            rows.confirms,
            rows.hold_due_at,
            rows.disputes,
            rows.asking,
        )
    )


def of_ledger(ledger: Ledger) -> bytes:
    """Of what a gateway knows."""
    return digest(
        (
            ledger.name,
            ledger.entries,
            ledger.kept,
            ledger.on_its_way,
            sorted(ledger.closed),
            ledger.mute_until,
            ledger.contest,
        )
    )


def of_hand(hand: Hand) -> bytes:
    """Of what a worker holds."""
    held = None if hand.held is None else _held(hand.held)
    answer = None if hand.answer is None else (type(hand.answer.outcome).__name__, hand.answer)
    return digest((hand.point, hand.asleep, hand.is_stale, hand.asked_at, _job(hand.job), held, answer))


def _payment(payment: Payment) -> tuple[Any, ...]:
    error = payment.last_error
    return (
        payment.state,
        payment.version,
        payment.authorized_minor,
        payment.captured_minor,
        payment.refunded_minor,
        payment.capturing_minor,
        payment.refunding_minor,
        payment.closing,
        payment.cancelling,
        payment.capture_before,
        payment.disputed_minor,
        payment.charged_back_minor,
        payment.gateway,
        payment.gateway_ref,
        payment.certainty,
        None if error is None else error.get("code"),
        payment.next_action,
    )


def _attempt(attempt: Attempt) -> tuple[Any, ...]:
    return (
        attempt.operation,
        attempt.number,
        attempt.gateway,
        attempt.gateway_key,
        attempt.request_hash,
        attempt.status,
        attempt.gateway_ref,
        _outcome(attempt.outcome),
        attempt.sends,
        attempt.checks,
        attempt.not_found_count,
        attempt.sent_at_s,
        attempt.first_not_found_at_s,
        attempt.candidates,
        attempt.answered_at_s,
    )


def _outcome(outcome: StoredOutcome) -> tuple[Any, ...]:
    return (
        outcome.stored,
        outcome.kind,
        outcome.retry_after_s,
        outcome.captured,
        outcome.duplicate,
        outcome.before,
        outcome.given_back,
        outcome.action,
        outcome.code,
        outcome.twin is not None,
    )


def _job(job: ClaimedJob) -> tuple[Any, ...]:
    return (
        job.id,
        job.operation,
        job.lease_epoch,
        job.claim_count,
        _payment(job.payment),
        [_attempt(attempt) for attempt in job.attempts],
        job.request,
        job.made_at_s,
        job.left_behind,
        job.confirm and (job.confirm.number, job.confirm.data is None),
        job.entities,
    )


def _held(held: Held) -> tuple[Any, ...]:
    work = held.work
    return (
        _work(work),
        _step(held.step),
        None if held.change is None else _change(held.change),
        None if held.settled is None else held.settled.answered.status,
        held.permit is not None,
    )


def _work(work: Work) -> tuple[Any, ...]:
    decision = work.route.decision
    return (
        _payment(work.payment),
        [_attempt(attempt) for attempt in work.attempts],
        work.position,
        [(position, type(said).__name__, said) for position, said in work.said.items()],
        None if work.waits is None else _step(work.waits),
        work.held_until_s,
        decision.candidates,
        decision.back_in_s,
    )


def _step(step: Step | None) -> tuple[Any, ...] | None:
    if isinstance(step, Send):
        return ("send", step.opened, step.request.gateway_ref, step.entities)
    if isinstance(step, SendAgain):
        return ("again", step.request.idempotency_key, step.request.gateway_ref, step.until_s)
    if isinstance(step, Ask):
        return ("ask", step.query, step.position)
    if isinstance(step, Rest):
        job = step.job
        return ("rest", job.status, job.queue, job.run_in_s, job.progress, job.follow_up, step.entities)
    return None


def _change(change: Change) -> tuple[Any, ...]:
    return (
        change.version_before,
        _payment(change.payment),
        [event.type for event in change.events],
        _answer(change.answered),
        _answer(change.beside),
        change.entities,
        change.hands_on,
        change.confirm_seen,
        [(one.number, one.gateway, one.gateway_ref) for one in change.found],
    )


def _answer(answer: AnswerAttempt | None) -> tuple[Any, ...] | None:
    if answer is None:
        return None
    return (
        answer.operation,
        answer.number,
        answer.status,
        answer.gateway_ref,
        _outcome(answer.outcome),
        answer.asked,
        answer.sent_again,
        answer.not_found,
        answer.recheck_in_s,
    )
