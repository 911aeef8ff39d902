"""Rows of captures and refunds: what a step of their job writes, in its transaction, and whose turn comes after a job.

These statements run only for changes that are about a capture or refund, or that end a job behind which one may wait.
Charging a payment at once runs none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from aegis_worker.domain.changes import Change
from aegis_worker.domain.entities import Entity, EntityChange, EntityKind, EntityStatus, Order
from aegis_worker.domain.gateway_keys import order_number
from aegis_worker.domain.outcomes import Operation
from aegis_worker.ids import JOB, PREFIX_OF, new_id

from . import trails
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

# What a gateway shows that nobody ordered here. Writing it again is safe.
_INSERT = """
INSERT INTO {table} (id, payment_id, merchant_id, mode, origin, amount_minor, currency, {more}status)
SELECT n.id, p.id, p.merchant_id, p.mode, 'gateway', n.amount_minor, p.currency, {given}n.status
FROM json_to_recordset(%(rows)s::json) AS n(id text, payment_id text, amount_minor bigint, final boolean, status text)
JOIN payments p ON p.id = n.payment_id
ON CONFLICT (id) DO NOTHING
"""

# What an order carries, from its row.
ORDER_AS_JSON: Mapping[EntityKind, str] = {
    kind: f"jsonb_build_object('kind', '{kind}', 'id', id, 'number', number, 'amount_minor', amount_minor,"
    f" 'final', {'final' if 'final' in table.c else 'false'},"
    f" 'forced', {'forced' if 'forced' in table.c else 'false'})"
    for kind, table in TABLE_OF.items()
}
# The payment's captures, voids and refunds, for whoever looks at its charge at the gateway.
ENTITIES_AS_JSON = (
    "SELECT json_agg(entities ORDER BY entities.id) FROM ("
    + " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, id, payment_id, origin, number, amount_minor, currency,"
        f" {'final' if 'final' in table.c else 'false'} AS final, status, gateway, gateway_ref, error"
        f" FROM {table.name} WHERE payment_id = {{payment_id}}"
        for kind, table in TABLE_OF.items()
    )
    + ") entities"
)
_WAITING = " UNION ALL ".join(
    f"SELECT '{kind}' AS operation, merchant_id, mode, {trails.NAMES}, created_at, id,"
    f" jsonb_build_object('order', {order}) AS request FROM {TABLE_OF[kind].name}"
    " WHERE payment_id = given.payment_id AND status = 'requested'"
    for kind, order in ORDER_AS_JSON.items()
)
# Each payment's oldest order that waits gets a job, unless another job was opened meanwhile.
_OPEN_NEXT = f"""
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, request, {trails.NAMES})
SELECT given.job_id, given.payment_id, next.merchant_id, next.mode, next.operation, 'payments', 'queued', next.request,
    next.correlation_id, next.traceparent
FROM unnest(%(payment_ids)s::text[], %(job_ids)s::text[]) AS given(payment_id, job_id)
CROSS JOIN LATERAL (SELECT * FROM ({_WAITING}) waiting ORDER BY created_at, id LIMIT 1) next
ON CONFLICT DO NOTHING
"""

# What is not settled and has no job: one that waits for its gateway's decision, or whose job a person ended.
_UNSETTLED = " UNION ALL ".join(
    f"(SELECT CASE origin WHEN 'gateway' THEN 'sync' ELSE '{kind}' END AS operation, payment_id, merchant_id, mode,"
    f" {trails.NAMES}, check_at, CASE origin WHEN 'merchant' THEN jsonb_build_object('order', {order}) END AS request"
    f" FROM {TABLE_OF[kind].name} e"
    " WHERE check_at <= statement_timestamp() AND NOT EXISTS ("
    " SELECT FROM jobs j WHERE j.payment_id = e.payment_id AND j.finished_at IS NULL)"
    " ORDER BY check_at LIMIT %(limit)s)"
    for kind, order in ORDER_AS_JSON.items()
)
_TO_CHECK = f"""
SELECT DISTINCT ON (payment_id) * FROM ({_UNSETTLED}) unsettled ORDER BY payment_id, check_at
"""
_CHECK_NOW = """
UPDATE {table} SET check_at = clock_timestamp() WHERE id = %(id)s AND status IN ('waiting', 'pending')
"""
_CHARGE_IS_SETTLED = """
UPDATE refunds SET check_at = clock_timestamp() WHERE payment_id = %(payment_id)s AND status = 'waiting'
"""
_PUT_OFF = """
UPDATE {table} SET check_at = clock_timestamp() + interval '1 hour'
WHERE payment_id = ANY (%(payment_ids)s) AND origin = 'gateway' AND check_at IS NOT NULL
"""
_OPEN_CHECK = f"""
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, request, {trails.NAMES})
VALUES (%(job_id)s, %(payment_id)s, %(merchant_id)s, %(mode)s, %(operation)s, 'verify', 'queued', %(request)s::jsonb,
    %(correlation_id)s, %(traceparent)s)
ON CONFLICT DO NOTHING
"""


def write_entities(connection: Connection, changes: Sequence[Change]) -> None:
    """Write what the changes say of captures, voids and refunds. Writing the same again is safe."""
    for kind, table in TABLE_OF.items():
        moved = [
            (change, entity) for change in changes for entity in change.entities if entity.order.kind is kind
        ]
        found = [_row(change, entity) for change, entity in moved if entity.order.origin == "gateway"]
        if found:
            more, given = ("final, ", "n.final, ") if "final" in table.c else ("", "")
            statement = _INSERT.format(table=table.name, more=more, given=given)
            connection.exec_driver_sql(statement, {"rows": json.dumps(found)})
        if moved:
            rows = json.dumps([_row(change, entity) for change, entity in moved])
            connection.exec_driver_sql(_UPDATE.format(table=table.name), {"rows": rows})


def open_next(connection: Connection, changes: Sequence[Change]) -> None:
    """Give what waited behind the jobs that these changes end its own jobs. Doing it again is safe."""
    payment_ids = [change.payment.id for change in changes if change.hands_on]
    if payment_ids:
        names = {"payment_ids": payment_ids, "job_ids": [new_id(JOB) for _ in payment_ids]}
        connection.exec_driver_sql(_OPEN_NEXT, names)


def open_checks(connection: Connection, *, limit: int) -> int:
    """Give captures and refunds that are due to be asked about a job, the oldest of each payment; returns how many.

    What was asked for at the gateway is looked at by a sync of its payment, and again after an hour.
    """
    due = connection.exec_driver_sql(_TO_CHECK, {"limit": limit}).mappings().all()
    jobs = [
        {**row, "job_id": new_id(JOB), "request": row["request"] and json.dumps(row["request"])}
        for row in due
    ]
    found_there = [row["payment_id"] for row in due if row["operation"] == "sync"]
    for table in TABLE_OF.values() if found_there else ():
        connection.exec_driver_sql(_PUT_OFF.format(table=table.name), {"payment_ids": found_there})
    return sum(connection.exec_driver_sql(_OPEN_CHECK, job).rowcount for job in jobs)


def check_now(connection: Connection, entity_id: str) -> None:
    """Have the gateway asked soon about an order that it has taken in."""
    kind = next(kind for kind in TABLE_OF if entity_id.startswith(PREFIX_OF[kind]))
    connection.exec_driver_sql(_CHECK_NOW.format(table=TABLE_OF[kind].name), {"id": entity_id})


def charge_is_settled(connection: Connection, payment_id: str) -> None:
    """Have the refunds that wait for it go on."""
    connection.exec_driver_sql(_CHARGE_IS_SETTLED, {"payment_id": payment_id})


def orders_under(
    connection: Connection, names: Sequence[tuple[Operation, str, int]]
) -> dict[tuple[Operation, str, int], tuple[str, EntityStatus]]:
    """Id and status of what was ordered, by its operation, its payment and the number of its attempt."""
    found = {}
    for operation, payment_id, attempt in names:
        table = TABLE_OF[EntityKind(operation.value)]
        row = connection.execute(
            select(table.c.id, table.c.status).where(
                table.c.payment_id == payment_id, table.c.number == order_number(attempt)
            )
        ).one_or_none()
        if row is not None:
            found[operation, payment_id, attempt] = (row.id, EntityStatus(row.status))
    return found


def entity_from_row(kind: EntityKind, row: Mapping[str, Any]) -> Entity:
    """The entity from a row of its table."""
    order = Order(
        kind,
        row["id"],
        row["number"] or 0,
        row["amount_minor"],
        final=row.get("final") or False,
        forced=row.get("forced") or False,
        origin=row["origin"],
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


def entities_from_json(rows: Sequence[Mapping[str, Any]] | None) -> tuple[Entity, ...]:
    """The entities that `ENTITIES_AS_JSON` gave; none where it was not asked for."""
    return tuple(entity_from_row(EntityKind(row["kind"]), row) for row in rows or ())


def _row(change: Change, entity: EntityChange) -> dict[str, Any]:
    order = entity.order
    return {
        "id": order.id,
        "payment_id": change.payment.id,
        "amount_minor": order.amount_minor,
        "final": order.final,
        "status": entity.status,
        "gateway": entity.gateway,
        "gateway_ref": entity.gateway_ref,
        "error": entity.error,
        "check_in_s": entity.check_in_s,
    }
