"""The JSON forms of captures and refunds."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.entities import StoredEntity


def entity_body(stored: StoredEntity) -> dict[str, Any]:
    """A capture or refund, as far as is known of it."""
    entity, order = stored.entity, stored.entity.order
    final = {"final": order.final} if order.kind is EntityKind.CAPTURE else {}
    return {
        "id": order.id,
        "object": order.kind.value,
        "payment_id": entity.payment_id,
        "amount": order.amount_minor,
        "currency": entity.currency,
        **final,
        "status": entity.status.value,
        "gateway": entity.gateway,
        "gateway_ref": entity.gateway_ref,
        "error": entity.error,
        "created_at": rfc3339(stored.created_at),
        "updated_at": rfc3339(stored.updated_at),
        "links": {
            "self": f"/v1/{order.kind}s/{order.id}",
            "payment": f"/v1/payments/{entity.payment_id}",
        },
    }
