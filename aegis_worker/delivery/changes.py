"""The read models as a sink: a note for each payment that events tell of. `projections.keep` takes them in."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from aegis_worker.domain.transitions import OF_DISPUTES, EventType
from aegis_worker.persistence import projections
from aegis_worker.persistence.published import PublishedEvent

from .sink import Sink

# What a payment is counted under, summed by or found by changes with these, and with no other event.
_CHANGING = frozenset(
    {
        EventType.INITIATED,
        EventType.AUTHORIZED,
        EventType.SUCCEEDED,
        EventType.FAILED,
        EventType.CANCELLED,
        EventType.CAPTURE_SUCCEEDED,
        EventType.CAPTURE_FAILED,
        EventType.REFUND_SUCCEEDED,
        EventType.REFUND_FAILED,
        *OF_DISPUTES,
    }
)


class ChangesFanOut(Sink):
    """Notes which payments have changed, once for all events of a payment in a batch."""

    name = "projections"

    def fan_out(self, connection: Connection, events: Sequence[PublishedEvent]) -> int:
        """One note for each payment. They are deliveries to ourselves, so none is counted."""
        changed = {event.payment_id: None for event in events if event.type in _CHANGING}
        if changed:
            projections.note(connection, list(changed))
        return 0
