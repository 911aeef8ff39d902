"""The operators' routes, across all merchants: see what needs a person, decide, and read past decisions."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.explanations.examples import EXPLANATION
from aegis_api.explanations.routes import explained
from aegis_api.explanations.schemas import ExplanationSchema
from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import A_BODY, Blueprint, headers, refuses, takes
from aegis_api.http.parts import parts
from aegis_api.http.requests import id_parameter, known_form, wanted_version
from aegis_worker.audit import incidents
from aegis_worker.erasing import erase_customer
from aegis_worker.ids import PAYMENT
from aegis_worker.people.deciding import decide
from aegis_worker.people.parts import Approval
from aegis_worker.persistence import audit_log, delivery_lag, outbox_rows
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.queries.stuck import Thresholds, list_stuck
from aegis_worker.review.parts import Resolution
from aegis_worker.views.approvals import approval_body
from aegis_worker.views.audit_log import audit_entry_body
from aegis_worker.views.decisions import resolved_body
from aegis_worker.views.erasures import erasure_body
from aegis_worker.views.incidents import incident_body
from aegis_worker.views.outbox import outbox_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.reviews import review_body
from aegis_worker.views.stuck import stuck_body
from aegis_worker.wiring.vault import destroying

from . import answer_schemas as answers
from . import examples
from .approval_schemas import APPROVAL, ApprovalSchema
from .approvals import two_person
from .incident_schemas import IncidentListSchema, IncidentsQuerySchema
from .request_schemas import (
    AuditLogQuerySchema,
    ErasureRequestSchema,
    ResolutionSchema,
    ReviewsQuerySchema,
    StuckQuerySchema,
)

_PAYMENT_ID = id_parameter("payment_id", PAYMENT, "A payment of any merchant.")
# A person, or a script, waits for the answer; the rest is erased by the next request.
_ERASES_FOR_S = 5.0

blueprint = Blueprint(
    "ops",
    __name__,
    url_prefix="/v1/ops",
    description="For operators, across all merchants. Needs an operator's key (`aegis keys create --operator`).",
)
blueprint.before_request(require_operator)


@blueprint.route("/reviews")
@refuses("validation_failed")
@blueprint.arguments(ReviewsQuerySchema(), location="query")
@blueprint.response(200, answers.ReviewListSchema(), example=examples.REVIEWS, headers=headers())
def list_payments_in_review(query: dict[str, Any]) -> Response:
    """Payments that wait for a person, oldest first

    Lists payments whose job is in review and payments that the audit froze, each with the evidence, with what hooks and
    rules said of it, and with the decisions that may be made.
    """
    with parts().web.database.read() as connection:
        page = list_reviews(
            connection, limit=query["limit"], after=query.get("starting_after"), kind=query.get("kind")
        )
    return answer(list_body([review_body(waiting) for waiting in page.rows], page.next_cursor))


@blueprint.route("/payments/<payment_id>/explain", parameters=[_PAYMENT_ID])
@refuses("not_found")
@blueprint.response(200, ExplanationSchema(), example=EXPLANATION, headers=headers())
def explain_any_payment(payment_id: str) -> Response:
    """Why any merchant's payment is in its state

    The answer is the one that its merchant gets, with whole entries of the audit log.
    """
    return answer(explained(None, payment_id))


@blueprint.route("/stuck")
@refuses("validation_failed")
@blueprint.arguments(StuckQuerySchema(), location="query")
@blueprint.response(200, answers.StuckListSchema(), example=examples.STUCK, headers=headers())
def list_what_is_stuck(query: dict[str, Any]) -> Response:
    """What is stuck: what should have moved on by itself and has not

    Lists at most `limit` of each kind, oldest first, each with the reason and what to do about it. Payments that wait for a
    person are not listed here: see the reviews.
    """
    limit = query.pop("limit")
    with parts().web.database.read() as connection:
        report = list_stuck(connection, Thresholds(**query), limit=limit)
    return answer(stuck_body(report))


@blueprint.route("/payments/<payment_id>/resolve", methods=["POST"], parameters=[_PAYMENT_ID])
@takes("If-Match")
@refuses(
    *A_BODY,
    "not_found",
    "invalid_state",
    "resolution_contradicted",
    "version_conflict",
    "resolution_refused",
    "too_many_waiting",
)
@blueprint.arguments(ResolutionSchema(), example=examples.RESOLUTION)
@blueprint.response(200, answers.ResolvedSchema(), example=examples.RESOLVED, headers=headers("ETag"))
@blueprint.alt_response(
    202,
    schema=ApprovalSchema(),
    description="It waits for a second person.",
    example=APPROVAL,
    headers=headers("Location"),
)
def resolve_payment(body: dict[str, Any], payment_id: str) -> Response:
    """Decide about a payment that waits for a person

    AegisPay asks the gateways first, and refuses a decision that they contradict. `charged` and `not_charged` end the
    payment as a gateway's answer would; if the payment has ended already, they only close its review. `succeeded` and
    `failed` end the capture, cancel or refund that waits, in the same way. If no gateway confirms them, they need
    `evidence`, and they wait as the `decision` in the answer. A waiting decision takes effect when the gateway confirms it,
    at the latest at its `takes_effect_at`, unless the gateway contradicts it. With `force` it takes effect at once.
    `withdraw` takes back a waiting decision; any other decision replaces it. `ask_again` has the gateway asked once more.
    `approve` and `reject` are for reviews of the kind fraud: nothing was sent yet, so no gateway is asked. What is approved
    goes on as if nothing had been found, except for a demand for 3-D Secure; what is rejected fails with
    `rejected_in_review`. `rebuild` sets a frozen payment to what its events say. The audit log keeps every decision
    and its result.

    Where AEGIS_TWO_PERSON_ABOVE says so, a decision other than `ask_again` and `withdraw` waits for a second person (202):
    no gateway is asked before it is approved.
    """
    done = decide(
        two_person(),
        known_form(payment_id, PAYMENT),
        Resolution(
            kind=body["resolution"],
            reason=body["reason"],
            gateway=body.get("gateway"),
            gateway_ref=body.get("gateway_ref"),
            attempt=body.get("attempt"),
            evidence=body.get("evidence"),
            force=body["force"],
        ),
        actor=g.operator.actor,
        expected_version=wanted_version(),
    )
    if isinstance(done, Approval):
        return answer(approval_body(done), 202, {"Location": f"/v1/ops/approvals/{done.id}"})
    tag = {"ETag": f'"{done.payment.version}"'}
    return answer(resolved_body(body["resolution"], done), 200, tag)


@blueprint.route("/erasures", methods=["POST"])
@refuses(
    *A_BODY,
    "vault_unavailable",
)
@blueprint.arguments(ErasureRequestSchema(), example=examples.ERASURE_REQUEST)
@blueprint.response(200, answers.ErasureSchema(), example=examples.ERASURE, headers=headers())
def erase(body: dict[str, Any]) -> Response:
    """Erase what is known of a customer

    Destroys the customer's cards in the vault. Of all their payments, in both modes, it erases what says who the customer
    is, what the payments were paid by, what the merchant wrote freely, and what payers, gateways and endpoints told.
    Amounts, events and attempts stay, and nothing that was erased is sent anywhere any more: payments that were not charged
    yet fail with `payer_erased`. Where `cards` is null, the process that was asked has no card vault: if the installation
    has one, ask a process that has its settings. Where `complete` is false there was more than fits into one request: send
    it again. A request with nothing left to erase changes nothing. The audit log keeps who asked and why.
    """
    web = parts().web
    erased = erase_customer(
        web.database,
        body["merchant_id"],
        body["customer_id"],
        actor=g.operator.actor,
        reason=body["reason"],
        destroy=destroying(web.vault),
        budget_s=_ERASES_FOR_S,
    )
    return answer(erasure_body(erased, has_vault=web.vault is not None))


@blueprint.route("/outbox")
@refuses()
@blueprint.response(200, answers.OutboxSchema(), example=examples.OUTBOX, headers=headers())
def show_outbox() -> Response:
    """How many events wait for delivery

    Counts pending events for each sink: the stream, and the webhooks of all merchants. Counting is cheap enough for a
    monitor that asks every few seconds.
    """
    with parts().web.database.read() as connection:
        return answer(outbox_body(outbox_rows.lag(connection), delivery_lag.lag(connection)))


@blueprint.route("/audit-log")
@refuses("validation_failed")
@blueprint.arguments(AuditLogQuerySchema(), location="query")
@blueprint.response(200, answers.AuditLogSchema(), example=examples.AUDIT_LOG, headers=headers())
def list_audit_log(query: dict[str, Any]) -> Response:
    """Who decided what, newest first

    The log is append-only. Each entry holds the hash of the previous entry, so that changing an entry breaks the chain of
    hashes. `aegis audit-log --verify` checks the chain.
    """
    limit = query["limit"]
    with parts().web.database.read() as connection:
        found = audit_log.list_entries(
            connection,
            limit=limit + 1,
            before_seq=query.get("starting_after"),
            payment_id=query.get("payment_id"),
            actor=query.get("actor"),
            action=query.get("action"),
        )
    page = found[:limit]
    cursor = str(page[-1].seq) if len(found) > limit else None
    return answer(list_body([audit_entry_body(entry) for entry in page], cursor))


@blueprint.route("/incidents")
@refuses("validation_failed")
@blueprint.arguments(IncidentsQuerySchema(), location="query")
@blueprint.response(200, IncidentListSchema(), example=examples.INCIDENTS, headers=headers())
def list_incidents(query: dict[str, Any]) -> Response:
    """What the audit found wrong, newest first

    An incident stays open until a later check of the payment no longer finds the violation.
    """
    limit, is_open = query["limit"], query.get("open")
    with parts().web.database.read() as connection:
        found = incidents.list_incidents(
            connection,
            invariant=query.get("invariant"),
            payment_id=query.get("payment_id"),
            is_open=None if is_open is None else is_open == "true",
            limit=limit + 1,
            starting_after=query.get("starting_after"),
        )
    page = found[:limit]
    cursor = page[-1].id if len(found) > limit else None
    return answer(list_body([incident_body(incident) for incident in page], cursor))
