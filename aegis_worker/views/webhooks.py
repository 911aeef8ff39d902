"""The JSON forms of webhook endpoints and of deliveries to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.ids import event_id
from aegis_worker.persistence.endpoint_rows import Endpoint
from aegis_worker.persistence.merchant_deliveries import Delivery

from .values import rfc3339_or_none


def endpoint_body(endpoint: Endpoint) -> dict[str, Any]:
    """A webhook endpoint, without its secret, which is shown only when the endpoint is made."""
    return {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "mode": endpoint.mode,
        "url": endpoint.url,
        "event_types": [kind.wire for kind in endpoint.event_types],
        "created_at": rfc3339(endpoint.created_at),
        "resting_until": rfc3339_or_none(endpoint.resting_until),
    }


def delivery_body(delivery: Delivery) -> dict[str, Any]:
    """The state of one event's delivery to one endpoint. `log` has the latest tries, newest last."""
    return {
        "id": delivery.id,
        "object": "webhook_delivery",
        "event_id": event_id(delivery.payment_id, delivery.seq),
        "payment_id": delivery.payment_id,
        "endpoint_id": delivery.endpoint_id,
        "status": delivery.status,
        "tries": delivery.tries,
        "due_at": rfc3339(delivery.due_at),
        "created_at": rfc3339(delivery.created_at),
        "delivered_at": rfc3339_or_none(delivery.delivered_at),
        "log": [{**entry, "at": rfc3339(datetime.fromisoformat(entry["at"]))} for entry in delivery.log],
    }
