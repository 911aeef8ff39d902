"""Schemas and examples of what operators see of webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from marshmallow import fields

from aegis_api.http.documented import Answer, number, one_of, text, time, whole
from aegis_api.http.fields import StrictSchema
from aegis_api.http.query_fields import page_limit, page_start
from aegis_worker.delivery.webhooks.overseeing import Tried
from aegis_worker.delivery.webhooks.schedule import Answered
from aegis_worker.domain.transitions import EventType
from aegis_worker.queries.webhooks import EndpointHealth
from aegis_worker.views.pages import list_body
from aegis_worker.views.webhooks import endpoint_health_body, tried_body


class EndpointsQuerySchema(StrictSchema):
    """GET /v1/ops/webhook-endpoints."""

    limit = page_limit()
    starting_after = page_start("whe", "a webhook endpoint")


class DeadQuerySchema(StrictSchema):
    """GET /v1/ops/dead-deliveries."""

    limit = page_limit()
    starting_after = page_start("whd", "a delivery")


class EndpointHealthSchema(Answer):
    """A webhook endpoint of any merchant, and what waits for it."""

    id = text()
    object = one_of("webhook_endpoint")
    merchant_id = text()
    mode = one_of("live", "test")
    url = text()
    event_types = fields.List(
        fields.String(), required=True, metadata={"description": "Empty: all types are posted."}
    )
    created_at = time()
    resting_until = time("It did not answer, and nothing is posted there before this time.", none=True)
    disabled_at = time(none=True)
    pending = whole("Deliveries that wait, counted up to 1,000.")
    failing = whole("Of these, those that were tried.")
    oldest_at = time("Since when the oldest of them waits.", none=True)


class EndpointHealthListSchema(Answer):
    """A page of endpoints, newest first."""

    data = fields.List(fields.Nested(EndpointHealthSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


class TriedSchema(Answer):
    """What an endpoint answered to a test event."""

    object = one_of("webhook_test")
    endpoint_id = text()
    event_id = text()
    at = time()
    took_ms = number()
    taken = fields.Boolean(
        required=True, metadata={"description": "Whether it took the event: it answered with 2xx."}
    )
    status_code = whole(none=True)
    excerpt = text("How its answer begins.", none=True)
    error = text("Why there is no answer.", none=True)


_AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
_ENDPOINT_ID = "whe_0199a7c5a0f47d5a8f0e6b1c2d3e4f50"
ENDPOINTS = list_body(
    [
        endpoint_health_body(
            EndpointHealth(
                id=_ENDPOINT_ID,
                merchant_id="shop",
                mode="test",
                url="https://shop.example/hooks/aegis",
                event_types=(EventType.SUCCEEDED,),
                created_at=_AT,
                resting_until=None,
                disabled_at=None,
                pending=12,
                failing=3,
                oldest_at=_AT - timedelta(minutes=4),
            )
        )
    ],
    None,
)
TRIED = tried_body(
    Tried(_ENDPOINT_ID, "test_0199a7c5a0f47d5a8f0e6b1c2d3e4f51", _AT, 38.2, Answered(200, "ok"))
)
