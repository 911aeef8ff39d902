"""Payments put into the tables by SQL: accepted ones, row for row as `intake` writes them, and finished ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg2

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Operation
from aegis_worker.domain.payment import Event, Payment, initiated
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.persistence.terms import NAMES, TYPED, row_of_terms
from aegis_worker.pipeline.operations.charge.facts import approved, opened

# What every order of a bench looks like; amount and reference differ.
ORDER: Mapping[str, Any] = {
    "currency": "USD",
    "payment_method": {"type": "card", "token": "tok_visa"},
    "customer": {"id": "cus_117", "email": "asha@shop.example", "country": "IN"},
    "description": "Two tickets",
    "metadata": {"cart": "c-81", "items": 2},
}
_AMOUNT_MINOR = 1999
# Filled in for each payment, in SQL.
_KEY, _PAYMENT_ID = "{key}", "{payment_id}"

_NEW = """
CREATE TEMPORARY TABLE bench_new ON COMMIT DROP AS
SELECT 'pay_' || replace(uuidv7()::text, '-', '') AS payment_id,
    'job_' || replace(uuidv7()::text, '-', '') AS job_id, %(key)s || '-' || n AS key
FROM generate_series(1, %(count)s) n
"""

_ROWS = f"""
WITH key AS (
    INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id)
    SELECT %(merchant_id)s, 'POST /v1/payments', key, sha256(convert_to(key, 'UTF8')), payment_id, job_id
    FROM bench_new
), payment AS (
    INSERT INTO payments (id, merchant_id, {NAMES}, state, version, authorized_minor, captured_minor, gateway,
        gateway_ref, created_at, updated_at)
    SELECT payment_id, %(merchant_id)s, {NAMES}, %(state)s, %(version)s, %(authorized_minor)s, %(captured_minor)s,
        %(gateway)s, replace(%(gateway_ref)s, '{_PAYMENT_ID}', payment_id), statement_timestamp(), statement_timestamp()
    FROM bench_new CROSS JOIN json_to_record(replace(%(terms)s, '{_KEY}', key)::json) AS terms({TYPED})
), job AS (
    INSERT INTO jobs (id, payment_id, merchant_id, operation, queue, status, finished_at)
    SELECT job_id, payment_id, %(merchant_id)s, 'process', 'payments', %(job_status)s,
        CASE %(job_status)s WHEN 'succeeded' THEN clock_timestamp() END
    FROM bench_new
), attempt AS (
    INSERT INTO attempts (payment_id, operation, number, gateway, gateway_key, request_hash, status, gateway_ref,
        lease_epoch, answered_at)
    SELECT payment_id, 'process', 1, %(gateway)s, payment_id || '-p1', '', 'APPROVED',
        replace(%(gateway_ref)s, '{_PAYMENT_ID}', payment_id), 1, clock_timestamp()
    FROM bench_new WHERE %(gateway)s IS NOT NULL
), event AS (
    INSERT INTO payment_events (payment_id, seq, type, data)
    SELECT payment_id, e.seq, e.type,
        replace(replace(e.data::text, '{_KEY}', key), '{_PAYMENT_ID}', payment_id)::jsonb
    FROM bench_new CROSS JOIN jsonb_to_recordset(%(events)s) AS e(seq int, type text, data jsonb)
)
INSERT INTO outbox (payment_id, seq, merchant_id)
SELECT payment_id, seq, %(merchant_id)s FROM bench_new CROSS JOIN generate_series(1, %(untold)s) seq
ORDER BY payment_id, seq
"""

# Autovacuum would have done this by then, had the rows come one by one.
_ANALYZE = "ANALYZE payments, payment_events, jobs, attempts, outbox, idempotency_keys"


def seed_accepted(
    cursor: psycopg2.extensions.cursor,
    merchant_id: str,
    key: str,
    count: int,
    *,
    currency: str = ORDER["currency"],
) -> None:
    """`count` payments as they stand when their POSTs have been answered; due from the commit on. Commits.

    `key` begins their idempotency keys and references, and was not used before.
    """
    new = _new_payment(merchant_id, currency)
    payment, events = new.record([initiated(new)])
    _insert(cursor, payment, events, key, count, untold=len(events))


def seed_finished(
    cursor: psycopg2.extensions.cursor,
    merchant_id: str,
    key: str,
    count: int,
    *,
    told: bool,
    before_commit: Callable[[], None] = lambda: None,
) -> int:
    """`count` payments that were charged; their events are in the outbox unless they are `told`. Commits.

    Returns how many events each of them has. `before_commit` is called when nobody can have seen them yet.
    """
    new = _new_payment(merchant_id, ORDER["currency"])
    payment, events = new.record([initiated(new)])
    for facts in (
        opened(payment, Operation.PROCESS, "null", 1),
        approved(payment, Operation.PROCESS, "null", Approved(f"null_{_PAYMENT_ID}")),
    ):
        payment, more = payment.record(facts)
        events += more
    untold = 0 if told else len(events)
    _insert(cursor, payment, events, key, count, untold=untold, before_commit=before_commit)
    return len(events)


def _new_payment(merchant_id: str, currency: str) -> Payment:
    given = {name: value for name, value in ORDER.items() if name != "currency"}
    terms = PaymentTerms(Money(_AMOUNT_MINOR, currency), reference=_KEY, **given)
    return Payment(_PAYMENT_ID, merchant_id, terms)


def _insert(
    cursor: psycopg2.extensions.cursor,
    payment: Payment,
    events: Sequence[Event],
    key: str,
    count: int,
    *,
    untold: int,
    before_commit: Callable[[], None] = lambda: None,
) -> None:
    """In one transaction, statistics included, so that whoever looks at the tables finds all of it or nothing."""
    rows = {
        "merchant_id": payment.merchant_id,
        "terms": json.dumps(row_of_terms(payment.terms)),
        "state": payment.state,
        "version": payment.version,
        "authorized_minor": payment.authorized_minor,
        "captured_minor": payment.captured_minor,
        "gateway": payment.gateway,
        "gateway_ref": payment.gateway_ref,
        "job_status": "succeeded" if payment.is_terminal else "queued",
        "events": json.dumps(
            [{"seq": event.seq, "type": event.type, "data": dict(event.data)} for event in events]
        ),
        "untold": untold,
    }
    cursor.execute("BEGIN")
    cursor.execute(_NEW, {"key": key, "count": count})
    cursor.execute(_ROWS, rows)
    cursor.execute(_ANALYZE)
    before_commit()
    cursor.execute("COMMIT")
