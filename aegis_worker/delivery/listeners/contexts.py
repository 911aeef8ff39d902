"""What hooks are told of events: each event, the end of each operation, and what a batch of events came to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from aegis_worker.domain.modes import Mode
from aegis_worker.domain.transitions import EventType
from aegis_worker.hooks import Count, EventFacts, Hooks, Numbers, OperationEnded, Point
from aegis_worker.persistence.hook_rows import Listener
from aegis_worker.persistence.published import PublishedEvent

# The points at which hooks are told of single events.
_HEAR = (Point.LISTEN, Point.AFTER_OPERATION)

# By event: the operation that it ends, and how.
_ENDS: dict[EventType, tuple[str, str]] = {
    EventType.AUTHORIZED: ("charge", "authorized"),
    EventType.SUCCEEDED: ("charge", "succeeded"),
    EventType.FAILED: ("charge", "failed"),
    EventType.CANCELLED: ("void", "succeeded"),
    EventType.CAPTURE_SUCCEEDED: ("capture", "succeeded"),
    EventType.CAPTURE_FAILED: ("capture", "failed"),
    EventType.REFUND_SUCCEEDED: ("refund", "succeeded"),
    EventType.REFUND_FAILED: ("refund", "failed"),
}


def listeners_of(hooks: Hooks) -> tuple[Listener, ...]:
    """The hooks that are told of single events."""
    return tuple(Listener(name, point) for point in _HEAR for name in hooks.names(point))


def hears(point: str, event: PublishedEvent) -> bool:
    """Whether a hook of this point is told of the event."""
    return point == Point.LISTEN or (event.type in _ENDS and _ends_one(event))


def context_of(point: str, event: PublishedEvent) -> Struct | None:
    """What a hook of this point is told of the event; None where it isn't told of it."""
    if not hears(point, event):
        return None
    return _heard(event) if point == Point.LISTEN else _ended(event)


def numbers_of(events: Sequence[PublishedEvent]) -> Numbers:
    """How many events of each kind there are, and the sums of their amounts."""
    counts, sums = Counter[_Kind](), Counter[_Kind]()
    for event in events:
        kind = _Kind(event.type.wire, event.mode, event.currency, _gateway(event), _code(event))
        counts[kind] += 1
        sums[kind] += _amount_minor(event)
    return Numbers(
        tuple(
            Count(kind.type, kind.mode, kind.currency, count, sums[kind], kind.gateway, kind.code)
            for kind, count in counts.items()
        )
    )


class _Kind(NamedTuple):
    type: str
    mode: Mode
    currency: str
    gateway: str | None
    code: str | None


def _heard(event: PublishedEvent) -> EventFacts:
    return EventFacts(
        id=event.id,
        type=event.type.wire,
        created_at=event.at,
        payment_id=event.payment_id,
        seq=event.seq,
        merchant_id=event.merchant_id,
        mode=event.mode,
        data=event.told(),
    )


def _ended(event: PublishedEvent) -> OperationEnded:
    operation, outcome = _ENDS[event.type]
    return OperationEnded(
        event_id=event.id,
        operation=operation,
        payment_id=event.payment_id,
        merchant_id=event.merchant_id,
        mode=event.mode,
        outcome=outcome,
        amount_minor=_amount_minor(event),
        currency=event.currency,
        gateway=_gateway(event),
        code=_code(event),
        entity_id=event.data.get("capture_id") or event.data.get("refund_id"),
        at=event.at,
    )


def _ends_one(event: PublishedEvent) -> bool:
    """Whether the event ends an operation at a gateway.

    A payment also succeeds when the rest of its hold ends, which is no operation of its own. A payment that is cancelled
    before anything was sent has had no void.
    """
    if event.type is EventType.SUCCEEDED:
        return "authorized_minor" in event.data
    return event.type is not EventType.CANCELLED or "gateway" in event.data


def _amount_minor(event: PublishedEvent) -> int:
    """Of a capture, refund or dispute its own amount, otherwise the payment's."""
    return int(event.data.get("amount_minor", event.amount_minor))


def _gateway(event: PublishedEvent) -> str | None:
    gateway: str | None = event.data.get("gateway") or _error(event).get("gateway")
    return gateway


def _code(event: PublishedEvent) -> str | None:
    code: str | None = _error(event).get("code")
    return code


def _error(event: PublishedEvent) -> dict[str, str | None]:
    return event.data.get("last_error") or event.data.get("error") or {}
