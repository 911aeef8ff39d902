"""What `aegis status` and `aegis timeline` look at: one payment, with what belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aegis_worker.domain.decisions import Decision
from aegis_worker.errors import NotFound
from aegis_worker.persistence import decisions
from aegis_worker.persistence.database import Database
from aegis_worker.queries.exchanges import StoredExchange, exchanges_of
from aegis_worker.queries.finding import find_payments
from aegis_worker.queries.history import StoredAttempt, StoredEvent, list_attempts, list_events
from aegis_worker.queries.jobs import StoredJob, get_job, list_jobs
from aegis_worker.queries.payments import StoredPayment, get_payment, with_reference

from .installation import configured_gateways

# Bounds what is read; far more than one payment gathers in a week on the verify ladder.
_MOST = 1000
MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A payment, its newest job (or the one asked for), its events, its attempts, what was exchanged with gateways, and a
    decision that waits.
    """

    stored: StoredPayment
    job: StoredJob | None
    events: Sequence[StoredEvent]
    attempts: Sequence[StoredAttempt]
    exchanges: Sequence[StoredExchange]
    decision: Decision | None = None


def payments_of(database: Database, asked: str, *, merchant_id: str | None) -> list[StoredPayment]:
    """The payments that this names, as `find_payments` has it, newest first; none where it is a payment's or job's id."""
    with database.read() as connection:
        if get_payment(connection, None, asked) or get_job(connection, None, asked):
            return []
        carrying = with_reference(connection, asked, merchant_id=merchant_id, limit=MOST_LISTED)
        if carrying:
            return carrying
        found = find_payments(connection, asked, gateways=list(configured_gateways()), limit=MOST_LISTED)
        return [one for one in found if merchant_id in (None, one.payment.merchant_id)]


def look_up(database: Database, id_: str, *, tried: str = "") -> Found:
    """What is stored under a payment's or a job's id, of any merchant. Raises NotFound, which says what else was tried."""
    with database.read() as connection:
        job = get_job(connection, None, id_) if id_.startswith("job_") else None
        payment_id = job.payment_id if job else id_
        stored = get_payment(connection, None, payment_id)
        if stored is None:
            raise NotFound(
                f"there is no payment or job {id_!r}{tried}; ids look like pay_0199… and job_0199…"
            )
        if job is None:
            job = next(iter(list_jobs(connection, None, payment_id=payment_id, limit=1).rows), None)
        return Found(
            stored,
            job,
            list_events(connection, None, payment_id, limit=_MOST),
            list_attempts(connection, None, payment_id, limit=_MOST),
            exchanges_of(connection, payment_id),
            decisions.of_payment(connection, payment_id),
        )
