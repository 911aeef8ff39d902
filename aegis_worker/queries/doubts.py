"""Payments that are in doubt and asked about by themselves: why, how often so far, and when next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from aegis_worker.domain.attempts import Attempt
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.persistence.tables.payments import payments

from .history import attempts_of
from .page import Page
from .payments import StoredPayment

# Those that wait for a person are in the list of reviews. The order is that of the partial index of what is in doubt.
_IN_DOUBT = """
SELECT p.id, j.run_at FROM payments p LEFT JOIN jobs j ON j.payment_id = p.id AND j.finished_at IS NULL
WHERE p.certainty = 'unknown' AND p.frozen_at IS NULL AND j.in_review IS NOT TRUE AND p.id > %(after)s
ORDER BY p.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One payment in doubt. `call`: the latest call whose outcome is not known, sent at `since`; both None where there is
    none any more. `next_at`: when its job runs again; None where it has no open job.
    """

    stored: StoredPayment
    call: Attempt | None
    since: datetime | None
    next_at: datetime | None


def list_doubts(connection: Connection, *, limit: int, after: str | None = None) -> Page[Doubt]:
    """Payments in doubt of any merchant, oldest first."""
    found = connection.exec_driver_sql(_IN_DOUBT, {"after": after or "", "limit": limit + 1}).all()
    next_at = {row.id: row.run_at for row in found[:limit]}
    rows = {
        row["id"]: row
        for row in connection.execute(select(payments).where(payments.c.id.in_(next_at))).mappings()
    }
    made = attempts_of(connection, list(next_at))
    doubts = []
    for payment_id, at in next_at.items():
        if payment_id not in rows:
            continue
        row = {str(name): value for name, value in rows[payment_id].items()}
        doubtful = [each for each in made.get(payment_id, ()) if each.attempt.status.is_in_doubt]
        latest = doubtful[-1] if doubtful else None
        doubts.append(
            Doubt(
                StoredPayment(payment_from_row(row), row["created_at"], row["updated_at"]),
                None if latest is None else latest.attempt,
                None if latest is None else latest.sent_at,
                at,
            )
        )
    return Page(doubts, found[limit - 1].id if len(found) > limit else None)
