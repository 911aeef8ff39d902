"""What gateways told us, for operators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import fields
from sqlalchemy import Connection, select

from aegis_worker.domain.gateway_events import Status
from aegis_worker.persistence.tables.oversight import gateway_events


class StoredGatewayEvent(Struct, frozen=True):
    """One event as it stands. `provider_event_id`: by what its gateway tells two events apart. Amounts in minor units.

    `due_at`: when it is followed next, and `waits_until`: for how long its payment is looked for; of a waiting one.
    """

    gateway: str
    account: str | None
    provider_event_id: str
    kind: str
    reference: str | None
    gateway_ref: str | None
    amount_minor: int | None
    currency: str | None
    status: Status
    reason: str | None
    payment_id: str | None
    tries: int
    received_at: datetime
    due_at: datetime | None
    waits_until: datetime | None


_COLUMNS = [gateway_events.c[field.name] for field in fields(StoredGatewayEvent)]


def list_gateway_events(
    connection: Connection,
    *,
    gateway: str | None = None,
    status: Status | None = None,
    payment_id: str | None = None,
    limit: int,
) -> Sequence[StoredGatewayEvent]:
    """The newest events that meet every condition."""
    columns = gateway_events.c
    statement = select(*_COLUMNS)
    if gateway is not None:
        statement = statement.where(columns.gateway == gateway)
    if status is not None:
        statement = statement.where(columns.status == status)
    if payment_id is not None:
        statement = statement.where(columns.payment_id == payment_id)
    newest = statement.order_by(columns.received_at.desc(), columns.provider_event_id).limit(limit)
    return [StoredGatewayEvent(**row) for row in connection.execute(newest).mappings()]
