"""Payments that wait for a person, each with the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from aegis_worker.domain.cards import code_gone_at
from aegis_worker.domain.charges import standing_charges
from aegis_worker.domain.decisions import Decision
from aegis_worker.domain.reviews import ReviewKind
from aegis_worker.persistence import decisions
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.persistence.tables.oversight import incidents
from aegis_worker.persistence.tables.payments import payments

from .history import StoredAttempt, attempts_of
from .jobs import StoredJob, open_jobs
from .page import Page
from .payments import StoredPayment

# Both halves of the UNION are read in the order of their indexes, so that neither reads more than a page.
_WAITING = """
SELECT payment_id FROM (
    (SELECT payment_id FROM jobs WHERE in_review AND payment_id > %(after)s
        AND (%(kind)s IS NULL OR coalesce(review_kind, 'doubt') = %(kind)s) ORDER BY payment_id LIMIT %(limit)s)
    UNION
    (SELECT id FROM payments p WHERE frozen_at IS NOT NULL AND id > %(after)s
        AND (%(kind)s IS NULL OR %(kind)s = 'doubt' AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.payment_id = p.id AND j.in_review AND j.review_kind = 'fraud'))
        ORDER BY id LIMIT %(limit)s)
) waiting ORDER BY payment_id LIMIT %(limit)s
"""

_MOST_INCIDENTS = 20


@dataclass(frozen=True, slots=True)
class Incident:
    """Something wrong with the payment that the audit found and that still holds."""

    id: str
    invariant: str
    summary: str
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """One payment that waits for a person. `since`: when its job came into review, or when it was frozen.

    `decision`: a person's decision that no gateway has confirmed yet, or that one contradicted.
    """

    stored: StoredPayment
    frozen_at: datetime | None
    job: StoredJob | None
    attempts: Sequence[StoredAttempt]
    incidents: Sequence[Incident]
    decision: Decision | None = None

    @property
    def in_review(self) -> bool:
        """Whether its job waits for a person."""
        return self.job is not None and self.job.status == "review"

    @property
    def kind(self) -> ReviewKind:
        """What a person is asked."""
        return (self.job.review_kind if self.job is not None and self.in_review else None) or "doubt"

    @property
    def security_code_until(self) -> datetime | None:
        """Of what waits to be approved: until when, at the latest, the vault holds the card's security code."""
        if self.kind != "fraud":
            return None
        return code_gone_at(self.stored.payment.payment_method, self.stored.created_at)

    @property
    def since(self) -> datetime:
        """When the payment began to wait. Nothing changes a job in review, so its last change is when it came there."""
        if self.frozen_at is not None or self.job is None:
            return self.frozen_at or self.stored.updated_at
        return self.job.updated_at

    @property
    def reason(self) -> str:
        """Why a person has to look."""
        if self.frozen_at is not None:
            found = "; ".join(incident.summary for incident in self.incidents)
            return "frozen: its events do not lead to its row" + (f": {found}" if found else "")
        return (self.job.reason if self.job else None) or "no reason was recorded"

    @property
    def was_charged(self) -> bool:
        """Whether a charge may stand at a gateway, so that a person may decide that it does."""
        return bool(standing_charges([stored.attempt for stored in self.attempts]))


def list_reviews(
    connection: Connection, *, limit: int, after: str | None = None, kind: ReviewKind | None = None
) -> Page[Waiting]:
    """Payments whose job is in review or that are frozen, oldest first; of any merchant. `kind`: those alone."""
    found = connection.exec_driver_sql(_WAITING, {"after": after or "", "limit": limit + 1, "kind": kind})
    ids = [row.payment_id for row in found]
    return Page(_with_evidence(connection, ids[:limit]), ids[limit - 1] if len(ids) > limit else None)


def get_incidents(connection: Connection, payment_ids: Sequence[str]) -> Mapping[str, list[Incident]]:
    """Open incidents of each of the payments, oldest first."""
    columns = incidents.c
    statement = (
        select(columns.payment_id, columns.id, columns.invariant, columns.summary, columns.found_at)
        .where(columns.payment_id.in_(payment_ids), columns.resolved_at.is_(None))
        .order_by(columns.found_at)
        .limit(_MOST_INCIDENTS * max(1, len(payment_ids)))
    )
    by_payment: dict[str, list[Incident]] = {}
    for payment_id, *incident in connection.execute(statement):
        by_payment.setdefault(payment_id, []).append(Incident(*incident))
    return by_payment


def _with_evidence(connection: Connection, ids: Sequence[str]) -> list[Waiting]:
    stored = {
        row["id"]: row
        for row in connection.execute(select(payments).where(payments.c.id.in_(ids))).mappings()
    }
    jobs_of = open_jobs(connection, ids)
    made_attempts = attempts_of(connection, ids)
    found = get_incidents(connection, ids)
    made = decisions.of_payments(connection, ids)
    return [
        Waiting(
            stored=_stored(stored[id_]),
            frozen_at=stored[id_]["frozen_at"],
            job=jobs_of.get(id_),
            attempts=made_attempts.get(id_, []),
            incidents=found.get(id_, []),
            decision=made.get(id_),
        )
        for id_ in ids
        if id_ in stored
    ]


def _stored(row: Mapping[Any, Any]) -> StoredPayment:
    return StoredPayment(payment_from_row(row), row["created_at"], row["updated_at"])
