"""Why a payment is in its state, for its merchant. Operators use /v1/ops/payments/{id}/explain."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.requests import NOTHING_HERE, id_parameter, known_form
from aegis_worker.domain.modes import Owner
from aegis_worker.errors import NotFound
from aegis_worker.ids import PAYMENT
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.explain import explain
from aegis_worker.views.explanations import explanation_body

from .examples import EXPLANATION
from .schemas import ExplanationSchema

blueprint = Blueprint(
    "explanations", __name__, url_prefix="/v1", description="Why a payment is in its state."
)
blueprint.before_request(require_merchant)


@blueprint.route(
    "/payments/<payment_id>/explain", parameters=[id_parameter("payment_id", PAYMENT, "A payment.")]
)
@refuses("not_found")
@blueprint.response(200, ExplanationSchema(), example=EXPLANATION, headers=headers())
def explain_payment(payment_id: str) -> Response:
    """Why a payment is in its state

    Tells how certain the state is and on what evidence, which routing and retry decisions led to it, and what happens
    next, who does it and when. The sentences are for people and may change; programs should read the other fields.
    """
    return answer(explained(g.owner, payment_id))


def explained(owner: Owner | None, payment_id: str) -> dict[str, Any]:
    """The explanation's body. An `owner` of None finds everybody's payments, for operators. Raises NotFound."""
    with parts().web.database.read() as connection:
        case = read_case_file(connection, owner, known_form(payment_id, PAYMENT))
    if case is None:
        raise NotFound(NOTHING_HERE)
    return explanation_body(explain(case), for_operators=owner is None)
