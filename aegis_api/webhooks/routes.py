"""Webhooks over HTTP: manage the endpoints, list deliveries, and post an event again."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant
from aegis_api.http.openapi import A_BODY, Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.requests import id_parameter, known_form
from aegis_worker.delivery.webhooks import endpoints
from aegis_worker.ids import ENDPOINT
from aegis_worker.persistence.merchant_deliveries import Delivery
from aegis_worker.views.pages import list_body
from aegis_worker.views.webhooks import delivery_body, endpoint_body

from . import examples
from .schemas import (
    DeliveriesQuerySchema,
    DeliveryListSchema,
    EndpointListSchema,
    EndpointRequestSchema,
    NewEndpointSchema,
    RedeliverySchema,
)

blueprint = Blueprint(
    "webhooks",
    __name__,
    url_prefix="/v1",
    description=(
        "Events, posted to the merchant's own servers: delivered at least once, in order per payment, signed after "
        "https://www.standardwebhooks.com. Dedupe on the event id."
    ),
)
blueprint.before_request(require_merchant)


@blueprint.route("/webhook-endpoints", methods=["POST"])
@refuses(
    *A_BODY,
    "webhook_endpoint_refused",
    "duplicate_endpoint",
)
@blueprint.arguments(EndpointRequestSchema(), example=examples.ENDPOINT_REQUEST)
@blueprint.response(201, NewEndpointSchema(), example=examples.NEW_ENDPOINT, headers=headers("Location"))
def create_endpoint(body: dict[str, Any]) -> Response:
    """Register a URL to which events are posted

    The answer holds the secret that signs the events. It is shown only this once. If one of your active endpoints already
    posts some of these events to the same URL, the request is refused with `duplicate_endpoint`, because these events would
    arrive twice.
    """
    web = parts().web
    created = endpoints.create_endpoint(
        web.database, web.settings, g.owner, body["url"], body.get("event_types", [])
    )
    where = {"Location": f"/v1/webhook-endpoints/{created.endpoint.id}"}
    return answer({**endpoint_body(created.endpoint), "secret": created.secret}, 201, where)


@blueprint.route("/webhook-endpoints", methods=["GET"])
@refuses()
@blueprint.response(200, EndpointListSchema(), example=examples.ENDPOINTS, headers=headers())
def list_endpoints() -> Response:
    """List the active endpoints, oldest first

    Secrets are not shown. A merchant has at most 16 active endpoints.
    """
    found = endpoints.list_endpoints(parts().web.database, g.owner)
    return answer(list_body([endpoint_body(endpoint) for endpoint in found], None))


@blueprint.route(
    "/webhook-endpoints/<endpoint_id>",
    methods=["DELETE"],
    parameters=[id_parameter("endpoint_id", ENDPOINT, "A webhook endpoint.")],
)
@refuses("not_found")
@blueprint.response(
    204, description="The endpoint is disabled; nothing more is posted to it.", headers=headers()
)
def disable_endpoint(endpoint_id: str) -> Response:
    """Stop posting events to an endpoint

    Deliveries that the endpoint has not received by then become `cancelled`.
    """
    endpoints.disable_endpoint(parts().web.database, g.owner, known_form(endpoint_id, ENDPOINT))
    return Response(status=204)


@blueprint.route("/webhook-deliveries")
@refuses("validation_failed")
@blueprint.arguments(DeliveriesQuerySchema(), location="query")
@blueprint.response(200, DeliveryListSchema(), example=examples.DELIVERIES, headers=headers())
def list_deliveries(query: dict[str, Any]) -> Response:
    """List deliveries, newest first

    There is one delivery for each event and endpoint, with the endpoint's answers to the latest tries.
    """
    limit: int = query.pop("limit")
    found = endpoints.list_deliveries(parts().web.database, g.owner, limit=limit + 1, **query)
    page: list[Delivery] = found[:limit]
    cursor = page[-1].id if len(found) > limit else None
    return answer(list_body([delivery_body(delivery) for delivery in page], cursor))


@blueprint.route(
    "/events/<event_id>/redeliver",
    methods=["POST"],
    parameters=[id_parameter("event_id", "evt", "An event.")],
)
@refuses("not_found")
@blueprint.response(202, RedeliverySchema(), example=examples.REDELIVERY, headers=headers())
def redeliver(event_id: str) -> Response:
    """Post an event again

    The event is posted to every active endpoint that is registered for its type, even if it was delivered before. If there
    is no such endpoint, `deliveries` is 0 and `reason` says why. The request's body is ignored.
    """
    made = endpoints.redelivery(parts().web.database, g.owner, known_form(event_id, "evt"))
    parts().web.hints.notify("webhooks")
    why = {"reason": made.reason} if made.reason else {}
    return answer({"event_id": event_id, "deliveries": made.deliveries, **why}, 202)
