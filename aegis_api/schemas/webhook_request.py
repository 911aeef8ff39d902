"""What the webhook routes take."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

from aegis_worker.domain.hosts import HOOK_URL
from aegis_worker.domain.transitions import EventType

from .fields import BodySchema, Fault, OneOf, StrictField, StrictSchema, Text, refusal
from .queries import page_limit

_EVENT_TYPES = [kind.wire for kind in EventType]
_DELIVERY_STATUSES = frozenset({"pending", "delivered", "dead", "cancelled"})


class EventTypes(StrictField):
    """A list of event types, none twice."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": "array",
            "items": {"type": "string", "enum": _EVENT_TYPES},
            "uniqueItems": True,
            "description": "The events to post. Left out or empty: all of them, also those of later versions.",
        }
        super().__init__(metadata=documented, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str]:
        if not isinstance(value, list):
            raise refusal("invalid_type", "Must be a list.")
        if len(value) > len(_EVENT_TYPES):
            raise refusal("too_long", f"Must have at most {len(_EVENT_TYPES)} items.")
        unknown = [index for index, item in enumerate(value) if item not in _EVENT_TYPES]
        if unknown:
            fault = Fault("invalid_value", "Must be an event type such as payment.succeeded.")
            raise ValidationError({index: [fault] for index in unknown})
        if len(set(value)) < len(value):
            raise refusal("repeated", "Must not name an event type twice.")
        return value


class EndpointRequestSchema(BodySchema):
    """A webhook endpoint to be made."""

    url = Text(
        2048,
        pattern="[!-~]+",
        form="a URL in printable ASCII",
        required=True,
        metadata={
            "pattern": f"^{HOOK_URL}$",
            "format": "uri",
            "example": "https://shop.example/hooks",
            "description": (
                "https, publicly reachable, at port 80, 443 or one from 1024 on. Plain http where the installation lets "
                "webhooks go to its own network."
            ),
        },
    )
    event_types = EventTypes()


class DeliveriesQuerySchema(StrictSchema):
    """GET /v1/webhook-deliveries."""

    limit = page_limit()
    starting_after = Text(
        64,
        pattern=r"whd_[0-9a-f]{32}",
        form="the id of a delivery",
        metadata={"description": "next_cursor of the page before."},
    )
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")
    status = OneOf(_DELIVERY_STATUSES, "pending, delivered, dead or cancelled")
