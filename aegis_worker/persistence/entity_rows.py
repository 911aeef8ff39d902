"""Rows of captures and refunds: what a step of their job writes, in its transaction, and whose turn comes after a job.

These statements run only for changes that are about a capture or refund, or that end a job behind which one may wait.
Charging a payment at once runs none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.changes import Change
from aegis_worker.domain.entities import Entity, EntityKind, EntityStatus, Order
from aegis_worker.ids import JOB, new_id

from .tables.entities import TABLE_OF

_UPDATE = """
UPDATE {table} e
SET status = n.status, gateway = coalesce(n.gateway, e.gateway), gateway_ref = coalesce(n.gateway_ref, e.gateway_ref),
    error = n.error, updated_at = clock_timestamp(),
    check_at = clock_timestamp() + make_interval(secs => n.check_in_s)
FROM json_to_recordset(%(rows)s::json) AS n(
    id text, status text, gateway text, gateway_ref text, error jsonb, check_in_s float8)
WHERE e.id = n.id
"""

# What an order carries, from its row.
ORDER_AS_JSON: Mapping[EntityKind, str] = {
    kind: f"jsonb_build_object('kind', '{kind}', 'id', id, 'number', number, 'amount_minor', amount_minor,"
    f" 'final', {'final' if 'final' in table.c else 'false'},"
    f" 'forced', {'forced' if 'forced' in table.c else 'false'})"
    for kind, table in TABLE_OF.items()
}
_WAITING = " UNION ALL ".join(
    f"SELECT '{kind}' AS operation, merchant_id, mode, created_at, id, jsonb_build_object('order', {order}) AS request"
    f" FROM {TABLE_OF[kind].name} WHERE payment_id = given.payment_id AND status = 'requested'"
    for kind, order in ORDER_AS_JSON.items()
)
# Each payment's oldest order that waits gets a job, unless another job was opened meanwhile.
_OPEN_NEXT = f"""
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, request)
SELECT given.job_id, given.payment_id, next.merchant_id, next.mode, next.operation, 'payments', 'queued', next.request
FROM unnest(%(payment_ids)s::text[], %(job_ids)s::text[]) AS given(payment_id, job_id)
CROSS JOIN LATERAL (SELECT * FROM ({_WAITING}) waiting ORDER BY created_at, id LIMIT 1) next
ON CONFLICT DO NOTHING
"""

# What is not settled and has no job: one that waits for its gateway's decision, or whose job a person ended.
_UNSETTLED = " UNION ALL ".join(
    f"(SELECT '{kind}' AS operation, payment_id, merchant_id, mode, check_at,"
    f" jsonb_build_object('order', {order}) AS request FROM {TABLE_OF[kind].name} e"
    " WHERE check_at <= statement_timestamp() AND NOT EXISTS ("
    " SELECT FROM jobs j WHERE j.payment_id = e.payment_id AND j.finished_at IS NULL)"
    " ORDER BY check_at LIMIT %(limit)s)"
    for kind, order in ORDER_AS_JSON.items()
)
_TO_CHECK = f"""
SELECT DISTINCT ON (payment_id) * FROM ({_UNSETTLED}) unsettled ORDER BY payment_id, check_at
"""
_OPEN_CHECK = """
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, request)
VALUES (%(job_id)s, %(payment_id)s, %(merchant_id)s, %(mode)s, %(operation)s, 'verify', 'queued', %(request)s::jsonb)
ON CONFLICT DO NOTHING
"""


def write_entities(connection: Connection, changes: Sequence[Change]) -> None:
    """Write what the changes say of captures and refunds. Writing the same again is safe."""
    for kind, table in TABLE_OF.items():
        rows = [_row(change) for change in changes if change.entity is not None and _kind(change) is kind]
        if rows:
            connection.exec_driver_sql(_UPDATE.format(table=table.name), {"rows": json.dumps(rows)})


def open_next(connection: Connection, changes: Sequence[Change]) -> None:
    """Give what waited behind the jobs that these changes end its own jobs. Doing it again is safe."""
    payment_ids = [change.payment.id for change in changes if change.hands_on]
    if payment_ids:
        names = {"payment_ids": payment_ids, "job_ids": [new_id(JOB) for _ in payment_ids]}
        connection.exec_driver_sql(_OPEN_NEXT, names)


def open_checks(connection: Connection, *, limit: int) -> int:
    """Give captures and refunds that are due to be asked about a job, the oldest of each payment; returns how many."""
    due = connection.exec_driver_sql(_TO_CHECK, {"limit": limit}).mappings().all()
    jobs = [{**row, "job_id": new_id(JOB), "request": json.dumps(row["request"])} for row in due]
    return sum(connection.exec_driver_sql(_OPEN_CHECK, job).rowcount for job in jobs)


def entity_from_row(kind: EntityKind, row: Mapping[str, Any]) -> Entity:
    """The entity from a row of its table."""
    order = Order(
        kind,
        row["id"],
        row["number"],
        row["amount_minor"],
        final=row.get("final", False),
        forced=row.get("forced", False),
    )
    return Entity(
        order,
        payment_id=row["payment_id"],
        currency=row["currency"],
        status=EntityStatus(row["status"]),
        gateway=row["gateway"],
        gateway_ref=row["gateway_ref"],
        error=row["error"],
    )


def _kind(change: Change) -> EntityKind | None:
    return change.entity.order.kind if change.entity is not None else None


def _row(change: Change) -> dict[str, Any]:
    entity = change.entity
    if entity is None:
        raise AssertionError("unreachable: only changes of an entity are written")
    return {
        "id": entity.order.id,
        "status": entity.status,
        "gateway": entity.gateway,
        "gateway_ref": entity.gateway_ref,
        "error": entity.error,
        "check_in_s": entity.check_in_s,
    }
