"""The route by which a payer's return from an action is handed on."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant
from aegis_api.http.idempotency import idempotency_key
from aegis_api.http.openapi import A_BODY, A_KEY, Blueprint, headers, refuses, takes
from aegis_api.http.parts import parts
from aegis_api.http.requests import NOTHING_HERE, known_form
from aegis_worker.errors import NotFound
from aegis_worker.ids import PAYMENT
from aegis_worker.intake import request_confirm
from aegis_worker.queries import jobs, payments
from aegis_worker.views.jobs import job_body

from . import answer_schemas as answers
from . import examples
from .accepting import confirm_command
from .actions import body_with_action
from .request_schemas import ConfirmRequestSchema
from .routes import PAYMENT_ID, etag

blueprint = Blueprint(
    "confirms", __name__, url_prefix="/v1", description="What payers bring back from an action."
)
blueprint.before_request(require_merchant)


@blueprint.route("/payments/<payment_id>/confirm", methods=["POST"], parameters=[PAYMENT_ID])
@takes("Idempotency-Key")
@refuses(
    *A_BODY,
    *A_KEY,
    "not_found",
    "invalid_state",
    "job_open",
    "payment_frozen",
)
@blueprint.arguments(ConfirmRequestSchema(), example=examples.CONFIRM_REQUEST)
@blueprint.response(
    202,
    answers.DecidedPaymentSchema(),
    description="What the payer brought back is durable; the job hands it to the gateway.",
    example=examples.DECIDED,
    headers=headers("Location", "Retry-After", "Idempotent-Replayed"),
)
@blueprint.alt_response(
    200,
    schema=answers.PaymentSchema(),
    description="The payment had gone on already: a webhook of the gateway, or a look-up, came first.",
    example=examples.PAYMENT,
    headers=headers("Location", "ETag", "Idempotent-Replayed"),
    success=True,
)
def confirm_payment(body: dict[str, Any], payment_id: str) -> Response:
    """Hand on what the payer brought back

    For a payment in REQUIRES_ACTION, after its payer has acted. `gateway_data` is what the gateway's library or its
    redirect gave the frontend; `{}` where it gave nothing. It is kept sealed, and erased once the gateway has answered. The
    same data under another key is the same confirm. Data that the gateway can make nothing of leaves the payment waiting
    for its payer: the payment's attempts say so.
    """
    payment_id, web = known_form(payment_id, PAYMENT), parts().web
    command = confirm_command(
        g.owner, payment_id, idempotency_key(), body, secret=web.settings.secret, trail=g.trail
    )
    confirmed = request_confirm(web.database, web.ring, command, _takes_data)
    web.hints.notify("payments")
    web.hints.notify("verify")
    with web.database.read() as connection:
        stored = payments.get_payment(connection, g.owner, payment_id)
        job = None if confirmed.job_id is None else jobs.get_job(connection, g.owner, confirmed.job_id)
        shown = None if stored is None else body_with_action(connection, stored)
    if stored is None or shown is None:
        raise NotFound(NOTHING_HERE)
    where = {"Location": f"/v1/payments/{payment_id}"}
    replayed = {"Idempotent-Replayed": "true"} if confirmed.replayed else {}
    if job is None:
        return answer(shown, 200, {**where, **replayed, "ETag": etag(stored.payment.version)})
    return answer(shown | {"job": job_body(job)}, 202, {**where, **replayed, "Retry-After": "1"})


def _takes_data(gateway: str) -> bool:
    known = parts().web.gateways().get(gateway)
    return known is not None and known.capabilities.confirms
