"""Accepting a payment: idempotency key, payment, job, first event and outbox row in one statement, one commit.

The key's row is the lock of a request in flight: a second request with the same key waits for the first one's commit and
then replays its answer; when that takes too long it is told `idempotency_in_progress`. A crash before the commit leaves
nothing behind, so there is no stale "in progress" to clean up.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.chaos.points import crash_point
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment, initiated
from aegis_worker.domain.replay import unborn
from aegis_worker.errors import (
    DuplicateReference,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    JobBusy,
    LockTimeout,
    NotFound,
    PaymentFrozen,
)
from aegis_worker.ids import JOB, PAYMENT, new_id
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.database import UNIQUE_VIOLATION, Database, sqlstate
from aegis_worker.persistence.mapping import payment_from_row


@dataclass(frozen=True, slots=True)
class PaymentCommand:
    """One validated request to pay. `request_hmac` covers the whole canonical request."""

    merchant_id: str
    route: str
    idempotency_key: str
    request_hmac: bytes
    amount: Money
    capture_method: Literal["automatic", "manual"]
    payment_method: Mapping[str, Any]
    reference: str | None
    customer: Mapping[str, Any]
    description: str | None
    return_url: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the caller is told: the payment as of its first event, which never changes, so a replay says the same."""

    payment: Payment
    job_id: str
    created_at: datetime
    replayed: bool


_ACCEPT = """
WITH key AS (
    INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id)
    VALUES (%(merchant_id)s, %(route)s, %(key)s, %(request_hmac)s, %(payment_id)s, %(job_id)s)
    ON CONFLICT DO NOTHING
    RETURNING merchant_id, payment_id, job_id
), payment AS (
    INSERT INTO payments (id, merchant_id, reference, amount_minor, currency, capture_method, payment_method,
        customer_id, customer, description, return_url, metadata, state, version, created_at, updated_at)
    SELECT payment_id, merchant_id, %(reference)s, %(amount_minor)s, %(currency)s, %(capture_method)s,
        %(payment_method)s::jsonb, %(customer_id)s, %(customer)s::jsonb, %(description)s, %(return_url)s,
        %(metadata)s::jsonb, 'INITIATED', 1, statement_timestamp(), statement_timestamp()
    FROM key
    RETURNING created_at, metadata
), job AS (
    INSERT INTO jobs (id, payment_id, merchant_id, operation, queue, status)
    SELECT job_id, payment_id, merchant_id, 'process', 'payments', 'queued' FROM key
), event AS (
    INSERT INTO payment_events (payment_id, seq, type, data)
    SELECT payment_id, 1, %(event_type)s, %(event_data)s::jsonb FROM key
), to_deliver AS (
    INSERT INTO outbox (payment_id, seq, merchant_id) SELECT payment_id, 1, merchant_id FROM key
)
SELECT created_at, metadata FROM payment
"""

_ACCEPTED_BEFORE = """
SELECT k.request_hmac, k.job_id, p.*
FROM idempotency_keys k JOIN payments p ON p.id = k.payment_id
WHERE k.merchant_id = %(merchant_id)s AND k.route = %(route)s AND k.key = %(key)s
"""


def accept(command: PaymentCommand, database: Database) -> Accepted:
    """Accept a payment once per key. Durable when this returns.

    Raises IdempotencyKeyReused, IdempotencyInProgress, DuplicateReference or DatabaseUnavailable; then nothing was
    written.
    """
    payment = Payment(
        id=new_id(PAYMENT),
        merchant_id=command.merchant_id,
        amount=command.amount,
        capture_method=command.capture_method,
        payment_method=command.payment_method,
        reference=command.reference,
        customer=command.customer,
        description=command.description,
        return_url=command.return_url,
        metadata=command.metadata,
    )
    job_id = new_id(JOB)
    crash_point("intake.received")
    try:
        accepted = database.run(lambda connection: _insert(connection, command, payment, job_id))
    except LockTimeout as error:
        raise IdempotencyInProgress("a request with this key is still being accepted") from error
    except DBAPIError as error:
        if sqlstate(error) == UNIQUE_VIOLATION and "payments_live_reference" in str(error.orig):
            raise DuplicateReference("another payment that has not failed carries this reference") from error
        raise
    crash_point("intake.committed")
    return accepted


def _insert(connection: Connection, command: PaymentCommand, payment: Payment, job_id: str) -> Accepted:
    accepted, (first,) = payment.record([initiated(payment)])
    row = connection.exec_driver_sql(
        _ACCEPT,
        {
            "merchant_id": command.merchant_id,
            "route": command.route,
            "key": command.idempotency_key,
            "request_hmac": command.request_hmac,
            "payment_id": payment.id,
            "job_id": job_id,
            "reference": payment.reference,
            "amount_minor": payment.amount.minor,
            "currency": payment.amount.currency,
            "capture_method": payment.capture_method,
            "payment_method": json.dumps(dict(payment.payment_method)),
            "customer_id": payment.customer.get("id"),
            "customer": json.dumps(dict(payment.customer)),
            "description": payment.description,
            "return_url": payment.return_url,
            "metadata": json.dumps(dict(payment.metadata)),
            "event_type": first.type,
            "event_data": json.dumps(dict(first.data)),
        },
    ).one_or_none()
    if row is None:
        return _replay(connection, command, payment.id)
    crash_point("intake.written")
    # The metadata as PostgreSQL keeps it (1e2 becomes 100), so that a replay says the same to the byte.
    return Accepted(replace(accepted, metadata=row.metadata), job_id, row.created_at, replayed=False)


def _replay(connection: Connection, command: PaymentCommand, ours: str) -> Accepted:
    """What the key's payment was told at first. It is `ours` where only the answer to our own COMMIT was lost."""
    row = (
        connection.exec_driver_sql(
            _ACCEPTED_BEFORE,
            {"merchant_id": command.merchant_id, "route": command.route, "key": command.idempotency_key},
        )
        .mappings()
        .one()
    )
    if not hmac.compare_digest(bytes(row["request_hmac"]), command.request_hmac):
        raise IdempotencyKeyReused("this key was used with a different request")
    now = payment_from_row(dict(row))
    original, _ = unborn(now).record([initiated(now)])
    return Accepted(original, row["job_id"], row["created_at"], replayed=now.id != ours)


_IS_MERCHANTS = "SELECT frozen_at FROM payments WHERE id = %(payment_id)s AND merchant_id = %(merchant_id)s"


def request_sync(database: Database, merchant_id: str, payment_id: str) -> str:
    """Have the gateway asked about a payment now: the open job becomes due, or a `sync` job is made. Returns its id.

    Raises NotFound for another merchant's payment, PaymentFrozen, or JobBusy when jobs open and close faster than this
    can look.
    """

    def work(connection: Connection) -> str:
        names = {"payment_id": payment_id, "merchant_id": merchant_id}
        payment = connection.exec_driver_sql(_IS_MERCHANTS, names).one_or_none()
        if payment is None:
            raise NotFound(f"no payment {payment_id}")
        if payment.frozen_at is not None:
            raise PaymentFrozen(f"{payment_id} is frozen: its history and its row disagree; a person decides")
        job_id = ask_now(connection, payment_id)
        if job_id is None:
            raise JobBusy(f"the job of {payment_id} is changing hands; ask again")
        return job_id

    return database.run(work)
