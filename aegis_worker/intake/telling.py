"""What accepting payments tells of them: which are new, and which were accepted before."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.domain.accepting import Born
from aegis_worker.errors import AegisError
from aegis_worker.observability.telling import TELLING

from .command import Accepted


def tell_of_accepted(asked: Sequence[Born], told: Sequence[Accepted | AegisError]) -> None:
    """Tell of each request what it came to; called on the thread of the request."""
    for one, said in zip(asked, told, strict=True):
        if isinstance(said, Accepted):
            _tell_accepted(one, said)


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
