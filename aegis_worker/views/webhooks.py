"""The JSON forms of webhook endpoints and of deliveries to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aegis_worker.delivery.webhooks.overseeing import Tried
from aegis_worker.delivery.webhooks.schedule import Answered
from aegis_worker.domain.moments import rfc3339
from aegis_worker.ids import event_id
from aegis_worker.persistence.endpoint_rows import Endpoint
from aegis_worker.persistence.merchant_deliveries import Delivery
from aegis_worker.queries.webhooks import EndpointHealth

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


def endpoint_health_body(endpoint: EndpointHealth) -> dict[str, Any]:
    """A webhook endpoint of any merchant and what waits for it, for operators."""
    return {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "merchant_id": endpoint.merchant_id,
        "mode": endpoint.mode,
        "url": endpoint.url,
        "event_types": [kind.wire for kind in endpoint.event_types],
        "created_at": rfc3339(endpoint.created_at),
        "resting_until": rfc3339_or_none(endpoint.resting_until),
        "disabled_at": rfc3339_or_none(endpoint.disabled_at),
        "pending": endpoint.pending,
        "failing": endpoint.failing,
        "oldest_at": rfc3339_or_none(endpoint.oldest_at),
    }


def tried_body(tried: Tried) -> dict[str, Any]:
    """What an endpoint answered to a test event."""
    answer = tried.answer
    return {
        "object": "webhook_test",
        "endpoint_id": tried.endpoint_id,
        "event_id": tried.event_id,
        "at": rfc3339(tried.at),
        "took_ms": round(tried.took_ms, 1),
        "taken": tried.is_taken,
        "status_code": answer.status if isinstance(answer, Answered) else None,
        "excerpt": answer.excerpt if isinstance(answer, Answered) else None,
        "error": None if isinstance(answer, Answered) else answer.error,
    }
