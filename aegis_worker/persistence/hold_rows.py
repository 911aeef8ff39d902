"""Holds that something is due about, and the jobs that see to it, in one short transaction.

A job is made first and the payment's row is moved after it, in the order in which workers take them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.entities import EntityKind, Order
from aegis_worker.domain.holds import look_at
from aegis_worker.ids import JOB, VOID, new_id

from . import trails

# Where another job is open the hold is looked at again after this.
_BUSY = timedelta(seconds=30)
# The key of a void that no merchant ordered: a merchant's key is printable.
_OWN_KEY = "\x1fbefore it expires"

_DUE = """
SELECT id, state, amount_minor, capturing_minor, capture_before, hold_due_at, clock_timestamp() AS now
FROM payments WHERE hold_due_at <= statement_timestamp() AND frozen_at IS NULL
ORDER BY hold_due_at LIMIT %(limit)s
"""
_OPEN_JOB = f"""
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, request, {trails.NAMES})
SELECT %(job_id)s, id, merchant_id, mode, %(operation)s, 'payments', 'queued', %(request)s::jsonb, {trails.OF_LAST_TRAIL}
FROM payments p {trails.LAST_TRAIL.format(payment_id="p.id")}
WHERE id = %(payment_id)s AND hold_due_at = %(due_at)s AND state = 'AUTHORIZED'
ON CONFLICT DO NOTHING RETURNING id
"""
_RELEASED_BEFORE = "SELECT EXISTS (SELECT FROM voids WHERE payment_id = %(payment_id)s AND key = %(key)s)"
_ADD_VOID = """
INSERT INTO voids (id, payment_id, merchant_id, mode, number, amount_minor, currency, status, key, request_hmac, check_at)
SELECT %(void_id)s, id, merchant_id, mode, (SELECT count(*) + 1 FROM voids v WHERE v.payment_id = p.id), amount_minor,
    currency, 'requested', %(key)s, '', clock_timestamp() + interval '60 s'
FROM payments p WHERE id = %(payment_id)s RETURNING number
"""
_GIVE_REQUEST = "UPDATE jobs SET request = %(request)s::jsonb WHERE id = %(job_id)s"
# Another sweep may have moved it on meanwhile.
_MOVE_ON = """
UPDATE payments SET hold_due_at = %(next_at)s WHERE id = %(payment_id)s AND hold_due_at = %(due_at)s
"""


def open_looks(connection: Connection, *, release_before: timedelta, limit: int) -> int:
    """Give holds that something is due about their jobs; returns how many got one.

    `release_before`: so long before its end a hold is released by us; 0: never.
    """
    due = [dict(row) for row in connection.exec_driver_sql(_DUE, {"limit": limit}).mappings()]
    opened = sum(_looked_at(connection, row, release_before) for row in due)
    if opened:
        crash_point("expiry.written")
    return opened


def _looked_at(connection: Connection, row: Mapping[str, Any], release_before: timedelta) -> bool:
    names = {"payment_id": row["id"], "due_at": row["hold_due_at"], "job_id": new_id(JOB), "key": _OWN_KEY}
    next_at, made = None, False
    if row["state"] == "AUTHORIZED":
        look = look_at(row["now"], row["capture_before"], release_before)
        if look.what != "release":
            made = _opened(connection, names, "hold", look.request())
            next_at = look.next_at if made else row["now"] + _BUSY
        else:
            made, next_at = _released(connection, row, names), look.next_at
    connection.exec_driver_sql(_MOVE_ON, {**names, "next_at": next_at})
    return made


def _opened(
    connection: Connection, names: Mapping[str, Any], operation: str, request: Mapping[str, Any] | None
) -> bool:
    given = {"operation": operation, "request": None if request is None else json.dumps(request)}
    return connection.exec_driver_sql(_OPEN_JOB, {**names, **given}).one_or_none() is not None


def _released(connection: Connection, row: Mapping[str, Any], names: Mapping[str, Any]) -> bool:
    """Order a void, once, unless a capture is under way."""
    before = connection.exec_driver_sql(_RELEASED_BEFORE, dict(names)).scalar_one()
    if before or row["capturing_minor"] or not _opened(connection, names, "void", None):
        return False
    void_id = new_id(VOID)
    number = connection.exec_driver_sql(_ADD_VOID, {**names, "void_id": void_id}).scalar_one()
    order = Order(EntityKind.VOID, void_id, number, row["amount_minor"])
    connection.exec_driver_sql(_GIVE_REQUEST, {**names, "request": json.dumps(order.request())})
    return True
