"""Finding payments of any merchant over HTTP, and asking gateways about one of them now."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.requests import id_parameter, known_form
from aegis_worker.ids import PAYMENT
from aegis_worker.queries.finding import find_payments, match_payments
from aegis_worker.queries.jobs import open_jobs
from aegis_worker.queries.payments import PaymentFilters
from aegis_worker.review.questions import ask_gateways
from aegis_worker.views.finding import found_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.questions import asked_body
from aegis_worker.wiring.review import review_parts

from . import finding_schemas as schemas

_PAYMENT_ID = id_parameter("payment_id", PAYMENT, "A payment of any merchant.")

blueprint = Blueprint(
    "finding",
    __name__,
    url_prefix="/v1/ops",
    description="For operators, across all merchants: find payments, and ask gateways about one of them.",
)
blueprint.before_request(require_operator)


@blueprint.route("/payments")
@refuses("validation_failed")
@blueprint.arguments(schemas.FindQuerySchema(), location="query")
@blueprint.response(200, schemas.FoundListSchema(), example=schemas.FOUND, headers=headers())
def find_any_payments(query: dict[str, Any]) -> Response:
    """Payments of all merchants, newest first

    With `q`, those that it belongs to: the id of a payment, job, event, capture, refund, cancel or dispute, the key of an
    attempt at its gateway, the gateway's reference, the merchant's reference, or a customer; also `last4:4242`,
    `error:stolen_card` and `metadata.cart:c-81`, which are seconds behind. Other filters don't go with
    it. Otherwise those that match all filters among the next 20,000 of the period: where `has_more` is true and the page is
    not full, so many were looked at, and `next_cursor` looks on.
    """
    limit, starting_after = query.pop("limit"), query.pop("starting_after", None)
    asked = query.pop("q", None)
    web, next_cursor = parts().web, None
    with web.database.read() as connection:
        if asked is not None:
            rows = find_payments(connection, asked, gateways=list(web.gateways()), limit=limit)
        else:
            matches = match_payments(
                connection, PaymentFilters(**query), limit=limit, starting_after=starting_after
            )
            rows, next_cursor = matches.rows, matches.next_cursor
        jobs = open_jobs(connection, [row.payment.id for row in rows])
    return answer(list_body([found_body(row, jobs.get(row.payment.id)) for row in rows], next_cursor))


@blueprint.route("/payments/<payment_id>/ask", methods=["POST"], parameters=[_PAYMENT_ID])
@refuses("not_found", "invalid_state", "payment_frozen")
@blueprint.response(200, schemas.AskedSchema(), example=schemas.ASKED, headers=headers())
def ask_about_payment(payment_id: str) -> Response:
    """Ask the gateways about a payment, and get their answers at once

    Asks about every charge that may stand, or about the capture, cancel or refund that waits for a person. No money moves.
    If an answer is definite and the payment still has something to settle, its job becomes due (`settles`): a worker asks
    as well, and settles it. The audit log keeps who asked and what was answered. The request's body is ignored.
    """
    web = parts().web
    asked = ask_gateways(
        review_parts(web.settings, web.database, web.gateways, web.hints.notify),
        known_form(payment_id, PAYMENT),
        actor=g.operator.actor,
    )
    return answer(asked_body(asked))
