"""Webhooks of all merchants over HTTP: endpoints, dead deliveries, posting again, and trying an endpoint."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.requests import id_parameter, known_form
from aegis_api.webhooks import examples
from aegis_api.webhooks.schemas import DeliveryListSchema, RedeliverySchema
from aegis_worker.delivery.webhooks.overseeing import redeliver_any, send_test_event
from aegis_worker.ids import ENDPOINT
from aegis_worker.queries.webhooks import list_dead, list_endpoints
from aegis_worker.views.pages import list_body
from aegis_worker.views.webhooks import delivery_body, endpoint_health_body, tried_body
from aegis_worker.wiring.delivery import webhook_sender

from . import webhooks_schemas as schemas

blueprint = Blueprint(
    "overseen webhooks",
    __name__,
    url_prefix="/v1/ops",
    description="For operators, across all merchants: who is told of events, and who is not.",
)
blueprint.before_request(require_operator)


@blueprint.route("/webhook-endpoints")
@refuses("validation_failed")
@blueprint.arguments(schemas.EndpointsQuerySchema(), location="query")
@blueprint.response(200, schemas.EndpointHealthListSchema(), example=schemas.ENDPOINTS, headers=headers())
def list_all_endpoints(query: dict[str, Any]) -> Response:
    """Webhook endpoints of all merchants, newest first

    Each with the deliveries that wait for it, counted up to 1,000. Disabled endpoints are listed too.
    """
    limit = query["limit"]
    with parts().web.database.read() as connection:
        found = list_endpoints(connection, limit=limit + 1, starting_after=query.get("starting_after"))
    page = found[:limit]
    cursor = page[-1].id if len(found) > limit else None
    return answer(list_body([endpoint_health_body(endpoint) for endpoint in page], cursor))


@blueprint.route("/dead-deliveries")
@refuses("validation_failed")
@blueprint.arguments(schemas.DeadQuerySchema(), location="query")
@blueprint.response(200, DeliveryListSchema(), example=examples.DELIVERIES, headers=headers())
def list_dead_deliveries(query: dict[str, Any]) -> Response:
    """Deliveries of all merchants that were given up, newest first

    Have the merchant repair the endpoint, then have the event posted again.
    """
    limit = query["limit"]
    with parts().web.database.read() as connection:
        found = list_dead(connection, limit=limit + 1, starting_after=query.get("starting_after"))
    page = found[:limit]
    cursor = page[-1].id if len(found) > limit else None
    return answer(list_body([delivery_body(delivery) for delivery in page], cursor))


@blueprint.route(
    "/events/<event_id>/redeliver",
    methods=["POST"],
    parameters=[id_parameter("event_id", "evt", "An event of any merchant.")],
)
@refuses("not_found")
@blueprint.response(202, RedeliverySchema(), example=examples.REDELIVERY, headers=headers())
def redeliver_any_event(event_id: str) -> Response:
    """Post an event of any merchant again

    As the merchant's own route does; the audit log keeps who did it. The request's body is ignored.
    """
    web = parts().web
    made = redeliver_any(web.database, known_form(event_id, "evt"), actor=g.operator.actor)
    web.hints.notify("webhooks")
    why = {"reason": made.reason} if made.reason else {}
    return answer({"event_id": event_id, "deliveries": made.deliveries, **why}, 202)


@blueprint.route(
    "/webhook-endpoints/<endpoint_id>/test",
    methods=["POST"],
    parameters=[id_parameter("endpoint_id", ENDPOINT, "An active webhook endpoint of any merchant.")],
)
@refuses("not_found")
@blueprint.response(200, schemas.TriedSchema(), example=schemas.TRIED, headers=headers())
def test_endpoint(endpoint_id: str) -> Response:
    """Post a test event to an endpoint, and get its answer at once

    The event has the type `test`, no payment and no `seq`, and is signed as any other. It is posted once and stored
    nowhere. The audit log keeps who sent it. The request's body is ignored.
    """
    web = parts().web
    tried = send_test_event(
        web.database,
        webhook_sender(web.settings),
        web.settings,
        known_form(endpoint_id, ENDPOINT),
        actor=g.operator.actor,
    )
    return answer(tried_body(tried))
