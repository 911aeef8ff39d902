"""Payments over HTTP: accept, read, list, and ask the gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, g, request

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant
from aegis_api.http.idempotency import idempotency_key
from aegis_api.http.openapi import A_BODY, A_KEY, Blueprint, headers, refuses, takes
from aegis_api.http.parts import asked, parts
from aegis_api.http.query_fields import LONGEST_PAGE
from aegis_api.http.requests import NOTHING_HERE, id_parameter, known_form
from aegis_api.http.waiting import until_decided, wanted_s
from aegis_api.jobs.schemas import JobAnswerSchema
from aegis_worker.crash_points import crash_point
from aegis_worker.domain.entities import EntityKind
from aegis_worker.errors import DatabaseUnavailable, NotFound
from aegis_worker.ids import PAYMENT
from aegis_worker.intake import Accepted, request_sync
from aegis_worker.queries import history, jobs, payments
from aegis_worker.queries.entities import DISPUTES, ORDERED, EntityFilters, Shelf, list_some
from aegis_worker.views.attempts import attempt_body
from aegis_worker.views.entities import dispute_body, entity_body
from aegis_worker.views.events import events_page
from aegis_worker.views.jobs import accepted_job_body, job_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.payments import payment_body

from . import answer_schemas as answers
from . import examples
from .accepting import PAYMENTS_ROUTE, command_of
from .actions import body_with_action
from .checking import check_body
from .query_schemas import PaymentQuerySchema, PaymentsQuerySchema
from .request_schemas import PaymentRequestSchema
from .vaulted import accept_by_card, method_of, vault_tokens

blueprint = Blueprint("payments", __name__, url_prefix="/v1", description="Payments.")
blueprint.before_request(require_merchant)

PAYMENT_ID = id_parameter("payment_id", PAYMENT, "A payment.")
_RETRY_AFTER = {"Retry-After": "1"}
# What `expand` may show of a payment's entities, from where and how.
_ENTITIES: tuple[tuple[str, Shelf[Any], Callable[[Any], dict[str, Any]]], ...] = (
    ("captures", ORDERED[EntityKind.CAPTURE], entity_body),
    ("refunds", ORDERED[EntityKind.REFUND], entity_body),
    ("disputes", DISPUTES, dispute_body),
)


@blueprint.route("/payments", methods=["POST"])
@takes("Idempotency-Key", "Prefer")
@refuses(
    *A_BODY,
    *A_KEY,
    "idempotency_in_progress",
    "duplicate_reference",
    "hook_failed",
    "vault_unavailable",
)
@blueprint.arguments(
    PaymentRequestSchema(),
    card_at="/payment_method/card",
    check=check_body,
    example=examples.PAYMENT_REQUEST,
)
@blueprint.response(
    202,
    answers.AcceptedPaymentSchema(),
    description="The payment is accepted and durable; a worker carries it out.",
    example=examples.ACCEPTED,
    headers=headers("Location", "Retry-After", "Idempotent-Replayed", "Preference-Applied"),
)
@blueprint.alt_response(
    200,
    schema=answers.DecidedPaymentSchema(),
    description="The payment was decided within the wait that `Prefer` asked for.",
    example=examples.DECIDED,
    headers=headers("Location", "ETag", "Idempotent-Replayed", "Preference-Applied"),
    success=True,
)
def create_payment(body: dict[str, Any]) -> Response:
    """Accept a payment

    The payment is durable once this request is answered; the money moves later. To learn the result, ask `links.self` or
    the job, or send `Prefer: wait=N`. A repeated request gets the first answer again, byte for byte, with
    `Idempotent-Replayed: true`. A repeated request with `Prefer: wait` gets the payment as it is now, with status 200 once
    it has ended. A payment with `scheduled_at` is answered at once.
    """
    here = parts()
    web = here.web
    tokens = vault_tokens([body])
    found = {} if web.vault is None else web.vault.find(g.owner, tokens)
    method = method_of(body, web.vault, g.owner, found)
    command = command_of(
        g.owner,
        PAYMENTS_ROUTE,
        idempotency_key(),
        body,
        secret=web.settings.secret,
        gateways=web.gateways().values(),
        method=method,
        trail=g.trail,
    )
    if here.validation.asks:
        (command,) = here.validation.judged([command], g.known_keys)
    if web.vault is None or method is None:
        accepted = here.intake.accept(command)
    else:
        accepted = accept_by_card(here.intake, web.vault, command, method)
    if not accepted.replayed:
        web.hints.notify("payments")
    crash_point("intake.hinted")
    replayed = {"Idempotent-Replayed": "true"} if accepted.replayed else {}
    where = {"Location": f"/v1/payments/{accepted.payment.id}"}
    prefer = asked().environ.get("HTTP_PREFER")
    wait_s = wanted_s([prefer]) if prefer else 0
    is_for_later = accepted.payment.terms.scheduled_at is not None
    if wait_s and not is_for_later:
        with here.waiters.place() as placed:
            if placed:
                applied = {"Preference-Applied": f"wait={wait_s}"}
                return _after_waiting(accepted, wait_s, {**where, **replayed, **applied})
    if wait_s and accepted.replayed:
        # The answer to a repetition must not depend on whether a place to wait was free.
        return _after_waiting(accepted, 0, {**where, **replayed})
    return _as_accepted(accepted, {**where, **replayed})


def _as_accepted(accepted: Accepted, more: Mapping[str, str]) -> Response:
    body = payment_body(accepted.payment, accepted.created_at, accepted.created_at)
    return answer({**body, "job": accepted_job_body(accepted.job_id)}, 202, {**more, **_RETRY_AFTER})


def _after_waiting(accepted: Accepted, wait_s: float, more: Mapping[str, str]) -> Response:
    database, payment_id = parts().web.database, accepted.payment.id
    try:
        until_decided(database, g.owner, payment_id, wait_s=wait_s)
        with database.read() as connection:
            stored = payments.get_payment(connection, g.owner, payment_id)
            job = jobs.get_job(connection, g.owner, accepted.job_id)
            body = None if stored is None else body_with_action(connection, stored)
    except DatabaseUnavailable:  # the payment was accepted all the same, so this must not become a 503
        return _as_accepted(accepted, more)
    if stored is None or body is None or job is None:
        return _as_accepted(accepted, more)
    body |= {"job": job_body(job)}
    if stored.payment.is_terminal:
        return answer(body, 200, {**more, "ETag": etag(stored.payment.version)})
    return answer(body, 202, {**more, **_RETRY_AFTER})


@blueprint.route("/payments", methods=["GET"])
@refuses("validation_failed")
@blueprint.arguments(PaymentsQuerySchema(), location="query")
@blueprint.response(200, answers.PaymentListSchema(), example=examples.PAYMENTS, headers=headers())
def list_payments(query: dict[str, Any]) -> Response:
    """List payments, newest first

    A payment is listed if it matches all filters. An unknown parameter is refused, because otherwise a misspelt filter
    would list everything.
    """
    limit, starting_after = query.pop("limit"), query.pop("starting_after", None)
    filters = payments.PaymentFilters(**query)
    with parts().web.database.read() as connection:
        page = payments.list_payments(
            connection, g.owner, filters, limit=limit, starting_after=starting_after
        )
    rows = [payment_body(row.payment, row.created_at, row.updated_at) for row in page.rows]
    return answer(list_body(rows, page.next_cursor))


@blueprint.route("/payments/<payment:payment_id>", parameters=[PAYMENT_ID])
@takes("If-None-Match")
@refuses("not_found", "validation_failed")
@blueprint.arguments(PaymentQuerySchema(), location="query")
@blueprint.response(200, answers.ExpandedPaymentSchema(), example=examples.PAYMENT, headers=headers("ETag"))
@blueprint.alt_response(
    304, description="The payment is still at the version of If-None-Match.", headers=headers("ETag")
)
def get_payment(query: dict[str, Any], payment_id: str) -> Response:
    """Look at a payment

    While the payer has to act, `next_action` is shown whole, for the frontend that carries it out. With `expand` the
    answer has no ETag, because attempts can change while the payment's version stays the same.
    """
    payment_id, expand = known_form(payment_id, PAYMENT), query.get("expand", frozenset())
    with parts().web.database.read() as connection:
        stored = payments.get_payment(connection, g.owner, payment_id)
        if stored is None:
            raise NotFound(NOTHING_HERE)
        body, expanded = body_with_action(connection, stored), {}
        if "events" in expand:
            events = history.list_events(connection, g.owner, payment_id, limit=LONGEST_PAGE + 1)
            expanded["events"] = events_page(events, LONGEST_PAGE)
        if "attempts" in expand:
            attempts = history.list_attempts(connection, g.owner, payment_id, limit=LONGEST_PAGE)
            expanded["attempts"] = list_body([attempt_body(attempt) for attempt in attempts], None)
        for name, shelf, shown in _ENTITIES:
            if name in expand:
                theirs = EntityFilters(payment_id=payment_id)
                page = list_some(connection, shelf, g.owner, theirs, limit=LONGEST_PAGE)
                expanded[name] = list_body([shown(row) for row in page.rows], page.next_cursor)
    if expand:
        return answer(body | expanded)
    tag = {"ETag": etag(stored.payment.version)}
    if request.if_none_match.contains_weak(str(stored.payment.version)):
        return Response(status=304, headers=tag)
    return answer(body, 200, tag)


@blueprint.route("/payments/<payment_id>/sync", methods=["POST"], parameters=[PAYMENT_ID])
@refuses("not_found", "job_open", "payment_frozen")
@blueprint.response(
    202,
    JobAnswerSchema(),
    description="The gateway will be asked. The job tells when that is done.",
    example=examples.JOB_ANSWER,
    headers=headers("Location", "Retry-After"),
)
def sync_payment(payment_id: str) -> Response:
    """Ask the gateway about a payment now

    If the payment has an open job, even one in review, that job runs now; otherwise a `sync` job is created. A payment that
    is held back before it was sent stays so, because no gateway knows of it. No money is moved. The request's body is
    ignored.
    """
    payment_id, web = known_form(payment_id, PAYMENT), parts().web
    job_id = request_sync(web.database, g.owner, payment_id, g.trail)
    web.hints.notify("verify")
    with web.database.read() as connection:
        job = jobs.get_job(connection, g.owner, job_id)
    if job is None:
        raise NotFound(NOTHING_HERE)
    return answer({"job": job_body(job)}, 202, {"Location": f"/v1/jobs/{job_id}", **_RETRY_AFTER})


def etag(version: int) -> str:
    """The ETag of a payment at this version."""
    return f'"{version}"'
