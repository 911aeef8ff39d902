"""Pausing gateways over HTTP, for operators."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import A_BODY, Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_worker.routing import changes
from aegis_worker.views.gateways import paused_body

from . import examples
from .schemas import GATEWAY_NAME, PausedSchema, PauseSchema

blueprint = Blueprint(
    "pauses",
    __name__,
    url_prefix="/v1/gateways",
    description="For operators: stop and resume sending new payments to a gateway.",
)
blueprint.before_request(require_operator)


@blueprint.route("/<gateway_name>/pause", methods=["POST"], parameters=[GATEWAY_NAME])
@refuses(
    *A_BODY,
    "not_found",
)
@blueprint.arguments(PauseSchema(), example=examples.PAUSE)
@blueprint.response(200, PausedSchema(), example=examples.PAUSED, headers=headers())
def pause_gateway(body: dict[str, Any], gateway_name: str) -> Response:
    """Stop sending new payments to a gateway

    Takes effect within two seconds. Payments that the gateway already has are still worked on: their outcomes are looked
    up, and they are captured, voided or refunded. A new payment that no other gateway takes waits. Pausing a paused gateway
    changes nothing.
    """
    web = parts().web
    changed = changes.pause_gateway(
        web.database, gateway_name, known=web.gateways(), actor=g.operator.actor, reason=body["reason"]
    )
    return answer(paused_body(gateway_name, paused=True, changed=changed))


@blueprint.route("/<gateway_name>/resume", methods=["POST"], parameters=[GATEWAY_NAME])
@refuses("not_found")
@blueprint.response(200, PausedSchema(), example=examples.RESUMED, headers=headers())
def resume_gateway(gateway_name: str) -> Response:
    """Send new payments to a gateway again

    The request's body is ignored. Resuming a gateway that is not paused changes nothing.
    """
    web = parts().web
    changed = changes.resume_gateway(web.database, gateway_name, known=web.gateways(), actor=g.operator.actor)
    return answer(paused_body(gateway_name, paused=False, changed=changed))
