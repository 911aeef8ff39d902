"""Payments that have ended, with the charges that were sent for them: what can be compared with gateways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_worker.domain.money import Money
from aegis_worker.domain.transitions import State

from .database import Database

_ENDED = """
SELECT p.id, p.state, p.amount_minor, p.currency, coalesce(json_agg(json_build_object(
    'gateway', a.gateway, 'key', a.gateway_key, 'gateway_ref', a.gateway_ref)) FILTER (WHERE NOT EXISTS (
        SELECT 1 FROM attempts r WHERE r.payment_id = a.payment_id AND r.number = a.number
            AND r.operation IN ('void', 'refund') AND r.status = 'APPROVED')), '[]') AS charges
FROM payments p JOIN attempts a ON a.payment_id = p.id
WHERE p.id > %(after)s AND p.state IN ('SUCCESS', 'FAILURE', 'CANCELLED')
  AND a.operation = 'process' AND (a.status <> 'NOT_SENT' OR a.not_found_count > 0)
GROUP BY p.id ORDER BY p.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class EndedPayment:
    """A payment that has ended; each charge that may be at a gateway, as `gateway, key, gateway_ref`.

    Not those that were reversed; and those that were looked for and not found, since they may come about late.
    """

    id: str
    state: State
    amount: Money
    charges: Sequence[Mapping[str, Any]]


def ended_payments(database: Database, *, after: str, page: int) -> Iterator[list[EndedPayment]]:
    """Pages of ended payments with ids after `after`; no connection is held between them. Raises DatabaseUnavailable."""
    while True:
        with database.read() as connection:
            rows = connection.exec_driver_sql(_ENDED, {"after": after, "limit": page}).all()
        if not rows:
            return
        yield [
            EndedPayment(row.id, State(row.state), Money(row.amount_minor, row.currency), row.charges)
            for row in rows
        ]
        after = rows[-1].id
