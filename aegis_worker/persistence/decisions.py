"""People's decisions that no gateway has confirmed. Each stands beside its review until it takes effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, select

from aegis_worker.domain.decisions import Decision

from .tables.oversight import decisions

_COLUMNS = [decisions.c[field.name] for field in fields(Decision)]

_PUT = f"""
INSERT INTO decisions (id, payment_id, resolution, reason, evidence, gateway, gateway_ref, attempt, sends, actor,
    takes_effect_at, look_at)
VALUES (%(id)s, %(payment_id)s, %(resolution)s, %(reason)s, %(evidence)s, %(gateway)s, %(gateway_ref)s, %(attempt)s,
    %(sends)s, %(actor)s, clock_timestamp() + make_interval(secs => %(wait_s)s),
    clock_timestamp() + make_interval(secs => %(look_in_s)s))
ON CONFLICT (payment_id) DO UPDATE SET id = excluded.id, resolution = excluded.resolution, reason = excluded.reason,
    evidence = excluded.evidence, gateway = excluded.gateway, gateway_ref = excluded.gateway_ref,
    attempt = excluded.attempt, sends = excluded.sends, actor = excluded.actor, made_at = clock_timestamp(),
    takes_effect_at = excluded.takes_effect_at, look_at = excluded.look_at, refused_at = NULL, refused_because = NULL
RETURNING {", ".join(column.name for column in _COLUMNS)}
"""

# Claiming a decision puts its next look off. So if the process dies over it, another one looks at it later.
_CLAIM = f"""
UPDATE decisions d SET look_at = least(
    clock_timestamp() + make_interval(secs => %(again_in_s)s),
    CASE WHEN d.takes_effect_at > clock_timestamp() THEN d.takes_effect_at END)
FROM (SELECT id FROM decisions WHERE refused_at IS NULL AND look_at <= statement_timestamp()
      ORDER BY look_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) due
WHERE d.id = due.id
RETURNING {", ".join(f"d.{column.name}" for column in _COLUMNS)}, d.takes_effect_at <= clock_timestamp() AS is_over
"""

_FORGET = """
DELETE FROM decisions d
WHERE refused_at IS NOT NULL AND NOT EXISTS (SELECT FROM jobs j WHERE j.payment_id = d.payment_id AND j.finished_at IS NULL)
"""

_REFUSE = """
UPDATE decisions SET refused_at = clock_timestamp(), refused_because = %(because)s
WHERE id = %(id)s AND refused_at IS NULL
"""


def put(
    connection: Connection,
    payment_id: str,
    said: dict[str, Any],
    *,
    wait_s: float,
    look_in_s: float,
) -> Decision:
    """Keep a decision in place of any other about the payment. The caller has locked the payment's job."""
    row = connection.exec_driver_sql(
        _PUT,
        {
            **said,
            "payment_id": payment_id,
            "wait_s": wait_s,
            "look_in_s": min(look_in_s, wait_s),
        },
    ).one()
    return _decision(row)


def of_payments(connection: Connection, payment_ids: Sequence[str]) -> dict[str, Decision]:
    """The decision about each of the payments that has one."""
    rows = connection.execute(select(*_COLUMNS).where(decisions.c.payment_id.in_(payment_ids)))
    return {row.payment_id: _decision(row) for row in rows}


def of_payment(connection: Connection, payment_id: str) -> Decision | None:
    """The decision about a payment, or None."""
    return of_payments(connection, [payment_id]).get(payment_id)


def take_out(connection: Connection, decision: Decision) -> bool:
    """Delete a decision that took effect or was withdrawn; returns whether it was still there."""
    return connection.execute(decisions.delete().where(decisions.c.id == decision.id)).rowcount > 0


def refuse(connection: Connection, decision: Decision, because: str) -> bool:
    """Mark a decision as refused, so that it never takes effect; returns whether it was still waiting."""
    return connection.exec_driver_sql(_REFUSE, {"id": decision.id, "because": because}).rowcount > 0


def claim_due(connection: Connection, *, limit: int, again_in_s: float) -> list[tuple[Decision, bool]]:
    """Decisions whose gateways are to be asked again now, each with whether its wait is over. Those that were refused are
    forgotten with their review.
    """
    connection.exec_driver_sql(_FORGET)
    rows = connection.exec_driver_sql(_CLAIM, {"limit": limit, "again_in_s": again_in_s})
    return [(_decision(row), row.is_over) for row in rows]


def _decision(row: Row[Any]) -> Decision:
    return Decision(**{field.name: getattr(row, field.name) for field in fields(Decision)})
