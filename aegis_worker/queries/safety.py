"""Is money safe? What the audit finds wrong, what waits for a person and what is in doubt, in counts and sums.

A console asks every few seconds for each person who looks at it, so each look uses an index and ends at `MOST_SUMMED`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from .waiting import WaitingNumbers, waiting_numbers

MOST_SUMMED = 1000
# Of the newest so many runs, the newest that compared ended payments with gateways.
_RUNS_LOOKED_AT = 1000

_WRONG = """
SELECT invariant, count(DISTINCT payment_id) AS payments FROM (
    SELECT invariant, payment_id FROM incidents WHERE resolved_at IS NULL LIMIT %(most)s
) i GROUP BY invariant ORDER BY invariant
"""
_WORST = """
SELECT payment_id, invariant, summary FROM incidents WHERE resolved_at IS NULL ORDER BY invariant, id LIMIT 1
"""
_WAITING = """
SELECT p.currency, count(*) AS payments, sum(p.amount_minor)::bigint AS minor
FROM (
    SELECT payment_id FROM (
        (SELECT payment_id FROM jobs WHERE in_review ORDER BY payment_id LIMIT %(most)s)
        UNION
        (SELECT id FROM payments WHERE frozen_at IS NOT NULL ORDER BY id LIMIT %(most)s)
    ) each LIMIT %(most)s
) w JOIN payments p ON p.id = w.payment_id
GROUP BY p.currency ORDER BY payments DESC, p.currency
"""
_IN_DOUBT = """
SELECT currency, count(*) AS payments, sum(amount_minor)::bigint AS minor
FROM (
    SELECT p.currency, p.amount_minor FROM payments p
    WHERE p.certainty = 'unknown' AND p.frozen_at IS NULL
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.payment_id = p.id AND j.in_review)
    ORDER BY p.merchant_id, p.id LIMIT %(most)s
) d GROUP BY currency ORDER BY payments DESC, currency
"""
_AUDITED = "SELECT min(updated_at) AS at FROM audit_cursors"
_COMPARED = """
SELECT finished_at FROM (
    SELECT id, since, finished_at FROM reconciliation_runs ORDER BY id DESC LIMIT %(runs)s
) r WHERE since IS NOT NULL ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Sum:
    """Payments of one currency and their amounts together, in minor units. Sums never cross currencies."""

    currency: str
    payments: int
    minor: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """An open incident of the audit: the payment, which invariant it breaks, and what was found, in words."""

    payment_id: str
    invariant: str
    summary: str


@dataclass(frozen=True, slots=True)
class Safety:
    """What is wrong, waits or is in doubt as of `as_of`. Each count and sum covers at most MOST_SUMMED payments.

    `wrong`: payments with open incidents, by invariant; `worst`: one of them. `for_people`: reviews and frozen payments.
    `in_doubt`: what gateways are asked about, reviews left out. `audited_at`: when the audit last moved, None if it never
    ran; `compared_at`: when ended payments were last compared with gateways.
    """

    as_of: datetime
    wrong: Mapping[str, int]
    worst: Wrong | None
    for_people: Sequence[Sum]
    in_doubt: Sequence[Sum]
    audited_at: datetime | None
    compared_at: datetime | None
    waiting: WaitingNumbers

    @property
    def people_have(self) -> int:
        """How many payments wait for a person."""
        return sum(each.payments for each in self.for_people)

    @property
    def doubts(self) -> int:
        """How many payments are in doubt and asked about."""
        return sum(each.payments for each in self.in_doubt)


def read_safety(connection: Connection) -> Safety:
    """How it stands now, of all merchants."""
    names = {"most": MOST_SUMMED, "runs": _RUNS_LOOKED_AT}
    as_of = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    wrong = {row.invariant: row.payments for row in connection.exec_driver_sql(_WRONG, names)}
    worst = connection.exec_driver_sql(_WORST).one_or_none() if wrong else None
    return Safety(
        as_of=as_of,
        wrong=wrong,
        worst=None if worst is None else Wrong(*worst),
        for_people=_sums(connection, _WAITING, names),
        in_doubt=_sums(connection, _IN_DOUBT, names),
        audited_at=connection.exec_driver_sql(_AUDITED).scalar_one(),
        compared_at=connection.exec_driver_sql(_COMPARED, names).scalar_one_or_none(),
        waiting=waiting_numbers(connection),
    )


def _sums(connection: Connection, statement: str, names: Mapping[str, int]) -> list[Sum]:
    return [Sum(*row) for row in connection.exec_driver_sql(statement, dict(names))]
