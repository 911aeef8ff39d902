"""What a worker's run tells of its work, to log, meter and traces: what came of calls, and where payments went."""

from __future__ import annotations

from collections.abc import Iterable

from aegis_worker.clock import clock_s
from aegis_worker.domain.changes import Change
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import NotSent, Operation, Unknown, word_of
from aegis_worker.domain.payment import Event
from aegis_worker.domain.transitions import LEADS_TO, TERMINAL, EventType
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import CALLS, END_TO_END, PAYMENTS, RETRIES
from aegis_worker.observability.telling import TELLING
from aegis_worker.observability.tracing import TRACING
from aegis_worker.resilience.permits import STATUS

from . import traces
from .held import Held
from .work import Answer


def heard(held: Held, answer: Answer) -> None:
    """A call to a gateway is over."""
    work = held.work
    if TRACING.on:
        traces.called(held, answer, word_of(answer.outcome))
    if METER.on:
        subject = work.subject
        operation = STATUS if answer.looked_up else subject.operation.value
        METER.timing(
            CALLS,
            answer.latency_ms / 1000,
            subject.gateway,
            operation,
            word_of(answer.outcome),
            traceparent=work.job.trail.traceparent,
        )
    if TELLING.on and TELLING.wants("attempt", work.payment.id):
        _tell_answer(held, answer)


def _tell_answer(held: Held, answer: Answer) -> None:
    work, subject, outcome = held.work, held.work.subject, answer.outcome
    TELLING.tell(
        "gateway answered",
        work.job.trail,
        payment_id=work.payment.id,
        job_id=work.job.id,
        attempt=subject.number,
        gateway=subject.gateway,
        operation=subject.operation.value,
        call="look_up" if answer.looked_up else "send",
        outcome=word_of(answer.outcome),
        why=outcome.kind.value if isinstance(outcome, NotSent | Unknown) else None,
        duration_ms=round(answer.latency_ms, 1),
    )


def written(changes: Iterable[tuple[Held, Change]]) -> None:
    """These changes stand."""
    for held, change in changes:
        job = held.work.job
        for event in change.events:
            if METER.on:
                _count_event(job, change, event)
            if TELLING.on:
                _tell_event(job, change, event)
        if change.answered is not None and change.answered.sent_again:
            METER.increment(RETRIES, change.answered.gateway, "repeat")
            _tell_retry(job, change)


def _count_event(job: ClaimedJob, change: Change, event: Event) -> None:
    payment = change.payment
    if event.type is EventType.RETRY_ATTEMPTED and change.opened is not None:
        METER.increment(RETRIES, change.opened.gateway, "failover")
    state = LEADS_TO.get(event.type)
    if state is None:
        return
    METER.increment(PAYMENTS, state.value, payment.gateway or "none", str(payment.payment_method["type"]))
    if state in TERMINAL and job.operation == Operation.PROCESS:
        took_s = max(0.0, clock_s() - job.made_at_s)
        METER.timing(END_TO_END, took_s, state.value, traceparent=job.trail.traceparent)


def _tell_event(job: ClaimedJob, change: Change, event: Event) -> None:
    is_retry = event.type is EventType.RETRY_ATTEMPTED
    if not TELLING.wants("retry" if is_retry else "transition", change.payment.id):
        return
    opened = change.opened
    TELLING.tell(
        "payment tried again" if is_retry else "payment event",
        job.trail,
        payment_id=change.payment.id,
        job_id=job.id,
        attempt=None if opened is None else opened.number,
        gateway=change.payment.gateway if opened is None else opened.gateway,
        operation=job.operation,
        kind=event.type.wire,
        state=LEADS_TO.get(event.type, change.payment.state).value,
    )


def _tell_retry(job: ClaimedJob, change: Change) -> None:
    again = change.answered
    if again is None or not TELLING.wants("retry", change.payment.id):
        return
    TELLING.tell(
        "call sent again",
        job.trail,
        payment_id=change.payment.id,
        job_id=job.id,
        attempt=again.number,
        gateway=again.gateway,
        operation=again.operation.value,
    )
