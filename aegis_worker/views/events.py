"""The JSON forms of a payment's event and of a page of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.ids import event_id
from aegis_worker.queries.history import StoredEvent

from .pages import list_body


def event_body(event: StoredEvent) -> dict[str, Any]:
    """An event, with the same type and id that webhooks and streams carry."""
    return {
        "id": event_id(event.payment_id, event.seq),
        "object": "event",
        "type": event.type.wire,
        "seq": event.seq,
        "payment_id": event.payment_id,
        "data": event.data,
        "created_at": rfc3339(event.at),
    }


def events_page(events: Sequence[StoredEvent], limit: int) -> dict[str, Any]:
    """A page of the first `limit` events. Pass one event more than `limit` if there is a next page."""
    page = events[:limit]
    cursor = event_id(page[-1].payment_id, page[-1].seq) if len(events) > limit else None
    return list_body([event_body(event) for event in page], cursor)
