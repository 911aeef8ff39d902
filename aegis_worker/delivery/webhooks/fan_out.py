"""Webhooks as a sink: a delivery for every endpoint that wants an event; `deliver` posts them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from aegis_worker.delivery.sink import Sink
from aegis_worker.persistence import delivery_rows
from aegis_worker.persistence.published import PublishedEvent


class WebhookFanOut(Sink):
    """Makes the deliveries to merchants' endpoints. Each is then posted and tried again on its own."""

    name = "webhooks"

    def fan_out(self, connection: Connection, events: Sequence[PublishedEvent]) -> int:
        """One delivery of each event to every active endpoint of its merchant that wants it."""
        return delivery_rows.make(connection, events)
