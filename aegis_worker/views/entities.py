"""The JSON forms of captures, cancels, refunds and disputes."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.entities import StoredDispute, StoredEntity


def entity_body(stored: StoredEntity) -> dict[str, Any]:
    """A capture, cancel or refund, as far as is known of it."""
    entity, order = stored.entity, stored.entity.order
    own = {EntityKind.CAPTURE: {"final": order.final}, EntityKind.REFUND: {"forced": order.forced}}
    return {
        "id": order.id,
        "object": order.kind.value,
        "payment_id": entity.payment_id,
        "amount": order.amount_minor,
        "currency": entity.currency,
        **own.get(order.kind, {}),
        "origin": order.origin,
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


def dispute_body(stored: StoredDispute) -> dict[str, Any]:
    """A dispute, as its gateway last showed it."""
    dispute, shown = stored.dispute, stored.dispute.shown
    return {
        "id": dispute.id,
        "object": "dispute",
        "payment_id": dispute.payment_id,
        "amount": shown.amount.minor,
        "currency": shown.amount.currency,
        "status": dispute.status.value,
        "reason": shown.reason,
        "respond_by": shown.respond_by and rfc3339(shown.respond_by),
        "own_charge": dispute.own_charge,
        "gateway": dispute.gateway,
        "gateway_ref": shown.gateway_ref,
        "gateway_status": shown.gateway_status,
        "gateway_reason": shown.gateway_reason,
        "created_at": rfc3339(stored.created_at),
        "updated_at": rfc3339(stored.updated_at),
        "links": {
            "self": f"/v1/disputes/{dispute.id}",
            "payment": f"/v1/payments/{dispute.payment_id}",
        },
    }
