"""What was kept of the exchanges with gateways for one payment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.exchanges import CallKind, Exchange
from aegis_worker.persistence.tables.oversight import exchanges

# More than a payment gathers in weeks.
MOST_SHOWN = 500


class StoredExchange(Struct, frozen=True):
    """An exchange, when it began, and which attempt it belongs to."""

    operation: str
    number: int
    kind: CallKind
    at: datetime
    exchange: Exchange

    def is_of(self, attempt: Attempt) -> bool:
        """Whether it was made for this attempt of the same payment."""
        return (self.operation, self.number) == (attempt.operation, attempt.number)


_READ = msgspec.json.Decoder(Exchange)


def exchanges_of(
    connection: Connection, payment_id: str, *, limit: int = MOST_SHOWN
) -> Sequence[StoredExchange]:
    """The payment's exchanges, of whatever merchant, in the order in which they began. Empty once their time is over."""
    columns = exchanges.c
    rows = connection.execute(
        select(columns.operation, columns.number, columns.kind, columns.at, columns.told)
        .where(columns.payment_id == payment_id)
        .order_by(columns.at, columns.id)
        .limit(limit)
    )
    return [
        StoredExchange(row.operation, row.number, CallKind(row.kind), row.at, _READ.decode(row.told))
        for row in rows
    ]
