"""An event in the form in which it leaves AegisPay, the same for the stream and for merchant webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.json import Encoder

from aegis_worker.domain.modes import Mode
from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.screening import for_merchants
from aegis_worker.domain.transitions import LEADS_TO, EventType
from aegis_worker.ids import event_id

# For a row `t` with payment_id and seq: the event, and facts of its payment that never change. Without LIMIT 1 the
# planner may guess too many rows and read these two tables whole, which are the largest.
PUBLISHED_COLUMNS = """
t.payment_id, t.seq, e.type, e.data, e.at, p.merchant_id, p.mode, p.amount_minor, p.currency, p.reference
"""
JOIN_PUBLISHED = """
CROSS JOIN LATERAL (
    SELECT type, data, at FROM payment_events WHERE payment_id = t.payment_id AND seq = t.seq LIMIT 1
) e
CROSS JOIN LATERAL (
    SELECT merchant_id, mode, amount_minor, currency, reference FROM payments WHERE id = t.payment_id LIMIT 1
) p
"""

_ENCODER = Encoder()


class PublishedEvent(Struct, frozen=True):
    """One event with the terms of its payment. `id` is the same in every delivery: consumers dedupe on it."""

    payment_id: str
    seq: int
    type: EventType
    data: Mapping[str, Any]
    at: datetime
    merchant_id: str
    mode: Mode
    amount_minor: int
    currency: str
    reference: str | None

    @property
    def id(self) -> str:
        """`evt_…`, derived from payment and seq."""
        return event_id(self.payment_id, self.seq)

    def told(self) -> dict[str, Any]:
        """The event's data as whoever receives it sees it: what was recorded with it, and facts of its payment."""
        data = {
            **for_merchants(self.data),
            "mode": self.mode,
            "amount": self.amount_minor,
            "currency": self.currency,
            "reference": self.reference,
        }
        if self.type in LEADS_TO:
            data["state"] = LEADS_TO[self.type]
        return data

    def payload(self) -> bytes:
        """The event in JSON: `id, type, created_at, payment_id, seq, data`.

        `created_at` is RFC 3339 in UTC, `seq` starts at 1 and has no gaps within a payment. `data` has what was recorded
        with the event and always `mode`, `amount` (minor units), `currency` and `reference`; `state` only where the
        event changes it. Nothing in it depends on when it is delivered, so that a redelivery has the same bytes.
        """
        document = {
            "id": self.id,
            "type": self.type.wire,
            "created_at": rfc3339(self.at),
            "payment_id": self.payment_id,
            "seq": self.seq,
            "data": self.told(),
        }
        return _ENCODER.encode(document)


def published_from_row(row: Sequence[Any]) -> PublishedEvent:
    """The event from PUBLISHED_COLUMNS, in their order."""
    payment_id, seq, type_, *rest = row
    return PublishedEvent(payment_id, seq, EventType(type_), *rest)
