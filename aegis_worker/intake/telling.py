"""What accepting payments tells of them, to the log and the meter: which are new, and which were accepted before."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.domain.accepting import Born
from aegis_worker.errors import AegisError
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import ACCEPT, IDEMPOTENCY_REPLAYS, PAYMENTS
from aegis_worker.observability.telling import TELLING

from .command import Accepted


def tell_of_accepted(asked: Sequence[Born], told: Sequence[Accepted | AegisError], took_s: float) -> None:
    """Tell of each payment what it came to, and that it took so long; called on the thread of the request."""
    METER.timing(ACCEPT, took_s, traceparent=asked[0].trail.traceparent)
    for one, said in zip(asked, told, strict=True):
        if isinstance(said, Accepted):
            _count(said)
            _tell_accepted(one, said)


def _count(accepted: Accepted) -> None:
    if accepted.replayed:
        METER.increment(IDEMPOTENCY_REPLAYS)
    elif METER.on:
        payment = accepted.payment
        METER.increment(PAYMENTS, payment.state.value, "none", str(payment.payment_method["type"]))


def _tell_accepted(one: Born, accepted: Accepted) -> None:
    payment = accepted.payment
    if not TELLING.wants("replay" if accepted.replayed else "transition", payment.id):
        return
    TELLING.tell(
        "request replayed" if accepted.replayed else "payment event",
        one.trail,
        payment_id=payment.id,
        job_id=accepted.job_id,
        operation="process",
        kind=one.first.type.wire,
        state=payment.state.value,
    )
