"""Schemas of webhook endpoints and deliveries, for requests and answers."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields

from aegis_api.http.documented import Answer, one_of, text, time, whole
from aegis_api.http.fields import BodySchema, Fault, OneOf, StrictField, StrictSchema, Text, refusal
from aegis_api.http.query_fields import page_limit
from aegis_worker.domain.hosts import HOOK_URL
from aegis_worker.domain.modes import MODES
from aegis_worker.domain.transitions import EventType

_EVENT_TYPES = [kind.wire for kind in EventType]
_DELIVERY_STATUSES = frozenset({"pending", "delivered", "dead", "cancelled"})


class EventTypes(StrictField):
    """A list of event types, none twice."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": "array",
            "items": {"type": "string", "enum": _EVENT_TYPES},
            "uniqueItems": True,
            "description": "The types of events to post. Left out or empty means all types, later versions' too.",
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
    """A webhook endpoint to create."""

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
                "The URL to post to: https, publicly reachable, at port 80, 443 or any from 1024 on. Plain http is allowed "
                "if the installation lets webhooks go to its own network."
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
        metadata={"description": "The `next_cursor` of the previous page."},
    )
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")
    status = OneOf(_DELIVERY_STATUSES, "pending, delivered, dead or cancelled")


class EndpointSchema(Answer):
    """A URL to which a merchant's events are posted."""

    id = text()
    object = one_of("webhook_endpoint")
    mode = one_of(*MODES, description="Of which payments it hears: that of the key that registered it.")
    url = text(format="uri")
    event_types = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The types of events that are posted. Empty means all types."},
    )
    created_at = time()
    resting_until = time(
        "Set if the endpoint did not answer: nothing is posted to it before this time.", none=True
    )


class NewEndpointSchema(EndpointSchema):
    """A new endpoint with the secret that signs what is posted to it."""

    secret = text("The secret that signs events; shown only in this answer.")


class EndpointListSchema(Answer):
    """The active endpoints, oldest first. They always fit on one page."""

    data = fields.List(fields.Nested(EndpointSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)


class DeliverySchema(Answer):
    """The delivery of one event to one endpoint."""

    id = text()
    object = one_of("webhook_delivery")
    event_id = text()
    payment_id = text()
    endpoint_id = text()
    status = one_of(
        "pending",
        "delivered",
        "dead",
        "cancelled",
        description=(
            "dead: delivery was given up; the event can be posted again. cancelled: the endpoint was deleted, so the event "
            "can't be posted to it again."
        ),
    )
    tries = whole("How often delivery was tried, counted anew whenever a person has the event posted again.")
    due_at = time("While pending: delivery is not tried before this time.")
    created_at = time()
    delivered_at = time(none=True)
    log = fields.List(
        fields.Dict(), required=True, metadata={"description": "The latest tries, newest last."}
    )


class DeliveryListSchema(Answer):
    """A page of deliveries, newest first."""

    data = fields.List(fields.Nested(DeliverySchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


class RedeliverySchema(Answer):
    """To how many endpoints the event will be posted again."""

    event_id = text()
    deliveries = whole()
    reason = fields.String(
        metadata={"description": "Present if `deliveries` is 0: why the event is not posted to any endpoint."}
    )
