"""The health of the gateways. For operators only: it describes the installation and not one merchant."""

from __future__ import annotations

from flask import Response

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_worker.errors import NotFound
from aegis_worker.views.gateways import gateway_body
from aegis_worker.views.pages import list_body

from .examples import GATEWAY, GATEWAYS
from .schemas import GATEWAY_NAME, GatewayListSchema, GatewaySchema

blueprint = Blueprint(
    "gateway health",
    __name__,
    url_prefix="/v1/gateways",
    description="The health of the gateways. Needs an operator's key (`aegis keys create --operator`).",
)
blueprint.before_request(require_operator)


@blueprint.route("")
@refuses()
@blueprint.response(200, GatewayListSchema(), example=GATEWAYS, headers=headers())
def list_gateways() -> Response:
    """Every configured gateway

    Shows each gateway's score, its circuit breakers, the outcomes of recent calls, and its limits and fees. All workers
    keep the health in Redis. While Redis does not answer, `health` is null; payments are still accepted, and `aegis relay`
    can work on them.
    """
    return answer(list_body([gateway_body(report) for report in parts().web.gateway_reports()], None))


@blueprint.route("/<gateway_name>", parameters=[GATEWAY_NAME])
@refuses("not_found")
@blueprint.response(200, GatewaySchema(), example=GATEWAY, headers=headers())
def show_gateway(gateway_name: str) -> Response:
    """One gateway

    The answer is the gateway's entry in the list of all gateways.
    """
    for report in parts().web.gateway_reports():
        if report.config.name == gateway_name:
            return answer(gateway_body(report))
    raise NotFound("There is no gateway of this name.")
