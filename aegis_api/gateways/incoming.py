"""The events that payment gateways post to us."""

from __future__ import annotations

from flask import Response, g, request

from aegis_api.http.answers import answer
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_worker.errors import NotFound
from aegis_worker.gateway_events.receive import receive
from aegis_worker.gateways.base import PaymentGateway

from .schemas import GATEWAY_NAME, ReceivedSchema

blueprint = Blueprint(
    "gateways",
    __name__,
    url_prefix="/v1/gateways",
    description="For the payment gateways of config/gateways.toml, which sign the events that they post.",
)


@blueprint.route(
    "/<gateway_name>/webhooks",
    methods=["POST"],
    parameters=[GATEWAY_NAME],
)
@refuses(
    "invalid_webhook",
    "not_found",
    "request_timeout",
    "payload_too_large",
    "internal_error",
    "too_busy",
    "database_unavailable",
    open_to_all=True,
)
@blueprint.response(200, ReceivedSchema(), example={"received": True}, headers=headers())
def receive_gateway_webhook(gateway_name: str) -> Response:
    """Receive an event from a gateway

    The route takes no API key. It checks the gateway's own signature and the event's age, and keeps the event for a worker.
    An event only makes AegisPay ask the gateway; its content is never taken as a fact. A repeated event, or one about an
    unknown payment, is answered with 200 too, so that the gateway does not send it again.
    """
    web = parts().web
    receive(web.database, web.ring, web.hints, _gateway(gateway_name), dict(request.headers), g.body)
    return answer({"received": True})


@blueprint.route("/<gateway_name>/webhooks", methods=["GET"], parameters=[GATEWAY_NAME])
@refuses("invalid_webhook", "not_found", "internal_error", open_to_all=True)
@blueprint.response(
    200,
    {"type": "string"},
    description="What the gateway expects.",
    content_type="text/plain",
    example="integration_public_key|d92a5b0d8a7f1c3e",
    headers=headers(),
)
def answer_gateway_challenge(gateway_name: str) -> Response:
    """Answer a gateway's challenge

    Some gateways try the address out with a GET before they post events to it. The route takes no API key and changes
    nothing.
    """
    challenge = _gateway(gateway_name).answer_challenge(request.args.to_dict())
    return Response(challenge, content_type="text/plain; charset=utf-8")


def _gateway(name: str) -> PaymentGateway:
    gateway = parts().web.gateways().get(name)
    if gateway is None:
        raise NotFound("There is no gateway of this name.")
    return gateway
