"""The spans of a worker's run: one for each claimed job, in the trace of the request that brought it about, and below it
one for each call to a gateway. A claim is linked with the jobs that it took, because it serves many traces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from aegis_worker.clock import clock_s
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.observability.tracing import TRACING, failed, since_1970_ns

from .held import Held
from .work import Answer

if TYPE_CHECKING:
    from opentelemetry.trace import Span

# Of the jobs that this process holds; far more than it can.
_MOST = 20_000
_JOBS: dict[str, Span] = {}


def taken(jobs: Sequence[ClaimedJob]) -> None:
    """These jobs were claimed."""
    if not TRACING.on:
        return
    claim = TRACING.current
    for job in jobs:
        span = TRACING.span(
            f"job {job.operation}",
            "consumer",
            job.trail.traceparent,
            {
                "aegis.payment_id": job.payment.id,
                "aegis.job_id": job.id,
                "aegis.operation": job.operation,
                "aegis.correlation_id": job.trail.correlation_id,
                "aegis.lease_epoch": job.lease_epoch,
                "aegis.since_accepted_ms": round((clock_s() - job.made_at_s) * 1000),
            },
            began_ns=since_1970_ns(clock_s() - job.claimed_at_s),
            links=() if claim is None else (claim,),
        )
        if span is None or len(_JOBS) >= _MOST:
            continue
        if (before := _JOBS.pop(job.id, None)) is not None:
            before.end()
        _JOBS[job.id] = span
        if claim is not None:
            claim.add_link(span.get_span_context())


def left(job_ids: Iterable[str], how: str) -> None:
    """These jobs are held no longer: done, handed back, or lost to another worker."""
    if not _JOBS:
        return
    for job_id in job_ids:
        span = _JOBS.pop(job_id, None)
        if span is not None:
            span.set_attribute("aegis.left", how)
            span.end()


def called(held: Held, answer: Answer, outcome: str) -> None:
    """A call to a gateway is over."""
    job, subject = held.work.job, held.work.subject
    if job.trail.traceparent is None:
        return
    began_ns = since_1970_ns(clock_s() - answer.asked_at_s)
    span = TRACING.span(
        f"{subject.gateway} {'look-up' if answer.looked_up else subject.operation.value}",
        "client",
        _JOBS.get(job.id, job.trail.traceparent),
        {
            "aegis.gateway": subject.gateway,
            "aegis.operation": subject.operation.value,
            "aegis.attempt": subject.number,
            "aegis.call": "look_up" if answer.looked_up else "send",
            "aegis.outcome": outcome,
            "aegis.payment_id": held.work.payment.id,
            "aegis.job_id": job.id,
            "aegis.correlation_id": job.trail.correlation_id,
        },
        began_ns=began_ns,
    )
    if span is not None:
        if outcome in ("unknown", "not_sent"):
            failed(span, outcome)
        span.end(began_ns + int(answer.latency_ms * 1e6))
