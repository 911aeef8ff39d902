"""Everything that is recorded about one payment, read as of one moment. Explanations are made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.decisions import Decision
from aegis_worker.domain.modes import Owner
from aegis_worker.persistence import decisions
from aegis_worker.persistence.audit_log import Entry, list_entries
from aegis_worker.persistence.tables.payments import attempts, jobs, payments

from .exchanges import StoredExchange, exchanges_of
from .history import StoredAttempt, StoredEvent, list_attempts, list_events
from .jobs import StoredJob, get_job
from .payments import StoredPayment, get_payment
from .reviews import Incident, get_incidents

# Bounds on what is read, far above what one payment gathers in a week on the verify ladder.
_MOST_EVENTS, _MOST_ATTEMPTS, _MOST_ENTRIES = 1000, 200, 100


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One payment with all that is known of it at `now`, by PostgreSQL's clock.

    `decision`: a person's decision that no gateway has confirmed yet, or that one contradicted.
    `job` is the open one, or else the newest. `recheck_at`: when a gateway is asked again about a charge that we gave up.
    `exchanges`: what went out to gateways and came back, for operators only.
    """

    now: datetime
    stored: StoredPayment
    frozen_at: datetime | None
    job: StoredJob | None
    lease_until: datetime | None
    claimed_by: str | None
    events: Sequence[StoredEvent]
    attempts: Sequence[StoredAttempt]
    recheck_at: datetime | None
    incidents: Sequence[Incident]
    decisions_of_people: Sequence[Entry]
    decision: Decision | None = None
    exchanges: Sequence[StoredExchange] = ()

    @property
    def calls(self) -> Sequence[Attempt]:
        """The attempts alone, without their times and routing decisions."""
        return [stored.attempt for stored in self.attempts]

    @property
    def has_open_job(self) -> bool:
        """Whether something is still to be done."""
        return self.job is not None and self.job.status in ("queued", "running", "waiting", "review")


def read_case_file(connection: Connection, owner: Owner | None, payment_id: str) -> CaseFile | None:
    """The case of a payment, or None if this owner has none with that id. Needs a fresh connection, which it sets to
    see the database as of one moment.
    """
    connection = connection.execution_options(isolation_level="REPEATABLE READ")
    stored = get_payment(connection, owner, payment_id)
    if stored is None:
        return None
    now = connection.exec_driver_sql("SELECT statement_timestamp()").scalar_one()
    frozen_at = connection.execute(
        select(payments.c.frozen_at).where(payments.c.id == payment_id)
    ).scalar_one()
    # A terminal job's finished_at is set, an open one's is not: the open one comes first.
    holding = connection.execute(
        select(jobs.c.id, jobs.c.lease_until, jobs.c.claimed_by)
        .where(jobs.c.payment_id == payment_id)
        .order_by(jobs.c.finished_at.is_(None).desc(), jobs.c.id.desc())
        .limit(1)
    ).one_or_none()
    recheck_at = connection.execute(
        select(attempts.c.recheck_at)
        .where(attempts.c.payment_id == payment_id, attempts.c.recheck_at.is_not(None))
        .order_by(attempts.c.recheck_at)
        .limit(1)
    ).scalar_one_or_none()
    return CaseFile(
        now=now,
        stored=stored,
        frozen_at=frozen_at,
        job=None if holding is None else get_job(connection, owner, holding.id),
        lease_until=None if holding is None else holding.lease_until,
        claimed_by=None if holding is None else holding.claimed_by,
        events=list_events(connection, owner, payment_id, limit=_MOST_EVENTS),
        attempts=list_attempts(connection, owner, payment_id, limit=_MOST_ATTEMPTS),
        recheck_at=recheck_at,
        incidents=get_incidents(connection, [payment_id]).get(payment_id, []),
        decisions_of_people=list_entries(connection, limit=_MOST_ENTRIES, payment_id=payment_id),
        decision=decisions.of_payment(connection, payment_id),
        exchanges=exchanges_of(connection, payment_id) if owner is None else (),
    )
