"""A draft of the rules, tried on the payments of a period. Reads only."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_worker.domain.outcomes import CHARGING_STEPS
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.screening import screening_of
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.rules.fields import Asked
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.rules.simulate import RulesSimulation

from .past_payments import Span

_PAGE = 1000

# By id, which begins with the time: in the order in which the payments were accepted.
_PAYMENTS = """
SELECT p.*, d.details AS payer_now
FROM (
    SELECT * FROM payments WHERE id BETWEEN %(first)s AND %(last)s AND id <> %(after)s ORDER BY id LIMIT %(limit)s
) p
LEFT JOIN payer_details d ON d.payment_id = p.id
ORDER BY p.id
"""
# When calls of these payments were declined. By payment, operation and number, as attempts are stored.
_DECLINES = """
SELECT payment_id, extract(epoch FROM answered_at) * 1000 AS at_ms, concat(operation, '.', number) AS call
FROM attempts
WHERE payment_id = ANY (%(ids)s) AND status = 'DECLINED' AND operation = ANY (%(steps)s) AND answered_at IS NOT NULL
"""
_Declines = Mapping[str, Sequence[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class SimulatedRules:
    """The result. `complete`: every payment of `span` was replayed, and not only as many as the time allowed."""

    simulation: RulesSimulation
    span: Span
    complete: bool


def simulate_rules(
    database: Database,
    span: Span,
    config: RulesConfig,
    *,
    budget_s: float | None = None,
    replayed: Callable[[int], object] = lambda payments: None,
) -> SimulatedRules:
    """Replay these payments, the oldest first, for no longer than about `budget_s`.

    `replayed` is called with the number of payments done since its last call. Raises DatabaseUnavailable.
    """
    ends_at = None if budget_s is None else time.monotonic() + budget_s
    simulation = RulesSimulation(config)
    for page in _pages(database, span):
        if ends_at is not None and time.monotonic() > ends_at:
            return SimulatedRules(simulation, span, complete=False)
        declines = _declines(database, page) if config.counting_declines else {}
        for asked in page:
            id_ = asked.payment.id
            simulation.add(asked, screening_of(asked.payment), declines.get(id_, ()))
        replayed(len(page))
    return SimulatedRules(simulation, span, complete=True)


def _pages(database: Database, span: Span) -> Iterator[list[Asked]]:
    """These payments, oldest first, a page at a time; no transaction stays open between pages."""
    first, after = span.first_id, ""
    while True:
        parameters = {"first": first, "after": after, "last": span.last_id, "limit": _PAGE}
        with database.read() as connection:
            rows = connection.exec_driver_sql(_PAYMENTS, parameters).mappings().all()
        page = [_asked(row) for row in rows]
        if page:
            yield page
        if len(page) < _PAGE:
            return
        first = after = page[-1].payment.id


def _declines(database: Database, page: Sequence[Asked]) -> _Declines:
    names = {"ids": [asked.payment.id for asked in page], "steps": sorted(CHARGING_STEPS)}
    found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    with database.read() as connection:
        for payment_id, at_ms, call in connection.exec_driver_sql(_DECLINES, names):
            found[payment_id].append((int(at_ms), call))
    return found


def _asked(row: Mapping[Any, Any]) -> Asked:
    details = row["payer_now"]
    return Asked(payment_from_row(row), None if details is None else Payer(details))
