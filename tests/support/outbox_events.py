"""Payments whose events wait in the outbox, inserted by plain SQL, for tests of the outbox and of webhooks."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from redis import Redis
from sqlalchemy import Connection

from aegis_worker import ids
from aegis_worker.delivery.drain import take_up
from aegis_worker.delivery.stream import STREAM
from aegis_worker.delivery.webhooks.fan_out import WebhookFanOut
from aegis_worker.domain.modes import Mode
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.outbox_rows import OutboxClaim
from aegis_worker.settings import Settings, load_settings

STORY = ("PAYMENT_INITIATED", "PAYMENT_PROCESSING", "PAYMENT_SUCCEEDED")

_PAYMENT = """
INSERT INTO payments
    (id, merchant_id, mode, reference, amount_minor, currency, payment_method, customer, metadata, state, version)
VALUES (%(id)s, %(merchant_id)s, %(mode)s, %(reference)s, 1999, 'USD', '{"type": "card"}', '{}', '{}', 'PROCESSING', 1)
"""
_EVENT = """
WITH event AS (
    INSERT INTO payment_events (payment_id, seq, type, data)
    VALUES (%(payment_id)s, %(seq)s, %(type)s, %(data)s) RETURNING payment_id, seq
)
INSERT INTO outbox (payment_id, seq, merchant_id) SELECT payment_id, seq, %(merchant_id)s FROM event
"""


def settings_with(**changes: Any) -> Settings:
    """Settings of an installation, independent of the environment of the tests."""
    environ = {
        "DATABASE_URL": "postgresql://",
        "REDIS_URL": "redis://",
        "AEGIS_SECRET": "a secret of these tests " * 2,
    }
    with patch.dict(os.environ, environ, clear=True):
        return replace(load_settings(), **changes)


def a_payment(
    database: Database,
    *,
    merchant_id: str = "m_1",
    mode: Mode = "test",
    events: Sequence[str] = STORY,
    reference: str | None = None,
) -> str:
    """Insert a payment whose events are all in the outbox; returns its id."""
    payment_id = ids.new_id(ids.PAYMENT)
    parameters = {"id": payment_id, "merchant_id": merchant_id, "mode": mode, "reference": reference}
    execute(database, _PAYMENT, **parameters)
    for seq, event_type in enumerate(events, start=1):
        an_event(database, payment_id, seq, event_type, merchant_id=merchant_id)
    return payment_id


def an_event(
    database: Database,
    payment_id: str,
    seq: int,
    event_type: str = "PAYMENT_PROCESSING",
    *,
    merchant_id: str = "m_1",
    data: dict[str, Any] | None = None,
) -> None:
    """Insert one more event of a payment, with its outbox row."""
    execute(
        database,
        _EVENT,
        payment_id=payment_id,
        seq=seq,
        type=event_type,
        data=json.dumps(data or {}),
        merchant_id=merchant_id,
    )


def execute(database: Database, sql: str, **parameters: Any) -> None:
    database.run(lambda connection: connection.exec_driver_sql(sql, parameters))


def make_due(database: Database, table: str) -> None:
    """Let backoffs pass and leases run out."""
    execute(database, f"UPDATE {table} SET due_at = now() - interval '1 s'")


def claim_and_fan_out(connection: Connection, *, limit: int, lease_s: float) -> OutboxClaim:
    """Claim events and make their webhook deliveries, as a drain does before it tells the sinks."""
    claim, _ = take_up(connection, [WebhookFanOut()], limit=limit, lease_s=lease_s)
    return claim


def event_ids(payment_id: str, *seqs: int) -> list[str]:
    return [ids.event_id(payment_id, seq) for seq in seqs]


def in_stream(redis_url: str) -> list[dict[str, str]]:
    """The stream's entries, oldest first."""
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        return [fields for _, fields in redis.xrange(STREAM)]


def first_seqs(entries: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """Each payment's `seq`s in order of arrival, as seen by a consumer that skips event ids it has seen."""
    first: dict[str, dict[str, Any]] = {}
    for entry in entries:
        first.setdefault(entry["id"], entry)
    seqs: dict[str, list[int]] = {}
    for entry in first.values():
        seqs.setdefault(entry["payment_id"], []).append(entry["seq"])
    return seqs
