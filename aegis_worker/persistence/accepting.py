"""The rows that a payment begins with, for a list of payments in one statement, and what a key's payment was told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.accepting import Born, KeptPayment, Key
from aegis_worker.domain.trails import Trail

from .database import Database
from .mapping import payment_from_row
from .prepared import Prepared
from .terms import NAMES, TYPED, row_of_terms

# When a payment was accepted and its metadata as PostgreSQL keeps it, by its id.
Written = Mapping[str, tuple[datetime, Mapping[str, Any]]]


# Two lists that share keys or references must take them in the same order, or they could deadlock. So keys must be given
# sorted, and references are sorted here.
_ACCEPT = f"""
WITH given AS (
    SELECT * FROM json_to_recordset($1) AS x(
        merchant_id text, mode text, route text, key text, request_hmac text, payment_id text, job_id text,
        event_type text, event_data jsonb, correlation_id text, traceparent text, {TYPED}{{typed}})
), key AS (
    INSERT INTO idempotency_keys (merchant_id, mode, route, key, request_hmac, payment_id, job_id)
    SELECT merchant_id, mode, route, key, decode(request_hmac, 'hex'), payment_id, job_id FROM given
    ON CONFLICT DO NOTHING
    RETURNING payment_id
), accepted AS (
    SELECT given.* FROM key JOIN given USING (payment_id) ORDER BY aegis_same_name(reference)
), payment AS (
    INSERT INTO payments (id, merchant_id, mode, {NAMES}{{names}}, state, version, created_at, updated_at)
    SELECT payment_id, merchant_id, mode, {NAMES}{{values}}, 'INITIATED', 1, statement_timestamp(), statement_timestamp()
    FROM accepted
    RETURNING id, created_at, metadata
), job AS (
    INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, run_at, correlation_id, traceparent)
    SELECT job_id, payment_id, merchant_id, mode, 'process', 'payments', 'queued',
        coalesce(scheduled_at, clock_timestamp()), correlation_id, traceparent
    FROM accepted
), event AS (
    INSERT INTO payment_events (payment_id, seq, type, data)
    SELECT payment_id, 1, event_type, event_data FROM accepted
), to_deliver AS (
    INSERT INTO outbox (payment_id, seq, merchant_id) SELECT payment_id, 1, merchant_id FROM accepted
){{more}}
SELECT id, created_at, metadata FROM payment
"""
_INSERT = Prepared("accept", _ACCEPT.format(typed="", names="", values="", more=""))
# For lists in which a payer is given. The others, which are most, pay nothing for it.
_INSERT_WITH_PAYERS = Prepared(
    "accept_with_payers",
    _ACCEPT.format(
        typed=", payer jsonb",
        names=", has_payer",
        values=", payer IS NOT NULL",
        more=""", payer AS (
    INSERT INTO payer_details (payment_id, details) SELECT payment_id, payer FROM accepted WHERE payer IS NOT NULL
)""",
    ),
)

_KEPT = """
SELECT asked.place, k.request_hmac, k.job_id, p.*
FROM unnest(%(merchants)s::text[], %(modes)s::text[], %(routes)s::text[], %(keys)s::text[])
    WITH ORDINALITY AS asked(merchant_id, mode, route, key, place)
JOIN idempotency_keys k USING (merchant_id, mode, route, key)
JOIN payments p ON p.id = k.payment_id
"""

_KNOWN = """
SELECT asked.place
FROM unnest(%(merchants)s::text[], %(modes)s::text[], %(routes)s::text[], %(keys)s::text[])
    WITH ORDINALITY AS asked(merchant_id, mode, route, key, place)
JOIN idempotency_keys k USING (merchant_id, mode, route, key)
"""

# A payment whose own key is known already is left out: it is a replay and no duplicate.
_CARRIED = """
SELECT asked.place, p.id
FROM unnest(%(merchants)s::text[], %(modes)s::text[], %(routes)s::text[], %(keys)s::text[], %(references)s::text[])
    WITH ORDINALITY AS asked(merchant_id, mode, route, key, reference, place)
JOIN LATERAL (
    SELECT p.id FROM payments p
    WHERE p.merchant_id = asked.merchant_id AND p.mode = asked.mode AND p.reference IS NOT NULL
        AND aegis_same_name(p.reference) = aegis_same_name(asked.reference)
        AND p.state NOT IN ('FAILURE', 'CANCELLED')
    LIMIT 1  -- one by one: for a list, PostgreSQL would rather read all payments
) p ON true
LEFT JOIN idempotency_keys k USING (merchant_id, mode, route, key)
WHERE k.key IS NULL
"""


def insert(database: Database, born: Sequence[Born], *, wait_ms: int | None = None) -> Written:
    """Write the payments whose key is new, and return those. They are durable when this returns.

    No two of `born` share a key or a reference, and they are sorted by key. If another transaction is accepting one of
    the keys, this waits for it, at most `wait_ms` for each key. Raises LockTimeout, DatabaseUnavailable or DBAPIError;
    then nothing was written.
    """
    document = json.dumps([_row(one) for one in born])
    statement = _INSERT_WITH_PAYERS if any(one.payer for one in born) else _INSERT
    rows = database.run_alone(statement, document, lock_timeout_ms=wait_ms)
    return {payment_id: (created_at, metadata) for payment_id, created_at, metadata in rows}


def kept(connection: Connection, keys: Sequence[Key]) -> dict[Key, KeptPayment]:
    """The payments that were accepted under these keys."""
    rows = connection.exec_driver_sql(_KEPT, _columns(keys)).mappings()
    return {
        keys[row["place"] - 1]: KeptPayment(
            bytes(row["request_hmac"]), payment_from_row(dict(row)), row["job_id"], row["created_at"]
        )
        for row in rows
    }


def known(connection: Connection, keys: Sequence[Key]) -> set[Key]:
    """Those of the keys under which a payment was accepted."""
    return {keys[place - 1] for place in connection.exec_driver_sql(_KNOWN, _columns(keys)).scalars()}


def carried(connection: Connection, born: Sequence[Born]) -> list[tuple[Born, str]]:
    """Those of `born` whose key is new and whose reference a payment that has not failed carries, with that one's id."""
    references = {"references": [one.payment.reference for one in born]}
    rows = connection.exec_driver_sql(_CARRIED, _columns([one.key for one in born]) | references)
    return [(born[row.place - 1], row.id) for row in rows]


def _columns(keys: Sequence[Key]) -> dict[str, list[str]]:
    return {
        "merchants": [key.merchant_id for key in keys],
        "modes": [key.mode for key in keys],
        "routes": [key.route for key in keys],
        "keys": [key.key for key in keys],
    }


def _row(born: Born) -> dict[str, Any]:
    payment = born.payment
    return {
        "merchant_id": born.key.merchant_id,
        "mode": born.key.mode,
        "route": born.key.route,
        "key": born.key.key,
        "request_hmac": born.request_hmac.hex(),
        "payment_id": payment.id,
        "job_id": born.job_id,
        "event_type": born.first.type,
        "event_data": dict(born.first.data),
        **row_of_terms(payment.terms),
        **_trail(born.trail),
        **({} if born.payer is None else {"payer": dict(born.payer.details)}),
    }


def _trail(trail: Trail) -> dict[str, str]:
    """What is known of it. PostgreSQL takes time to read each field, so what is not known is left out."""
    told = {"correlation_id": trail.correlation_id, "traceparent": trail.traceparent}
    return {name: value for name, value in told.items() if value is not None}
