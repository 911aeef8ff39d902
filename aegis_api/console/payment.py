"""One payment: what it is, why it stands so, how sure that is, what is next, and all that happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, render_template, request
from sqlalchemy import Connection

from aegis_api.http.answers import answer
from aegis_api.http.parts import parts
from aegis_api.http.requests import known_form
from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.payment import Event
from aegis_worker.domain.replay import states
from aegis_worker.errors import IllegalTransition, NotFound
from aegis_worker.ids import PAYMENT
from aegis_worker.persistence import merchant_deliveries
from aegis_worker.queries.case_file import CaseFile, read_case_file
from aegis_worker.queries.entities import DISPUTES, ORDERED, EntityFilters, list_some
from aegis_worker.queries.explain import Explanation, explain
from aegis_worker.queries.gateway_events import list_gateway_events
from aegis_worker.queries.sentences import of_attempt
from aegis_worker.views.attempts import attempt_body
from aegis_worker.views.entities import dispute_body, entity_body
from aegis_worker.views.explanations import explanation_body
from aegis_worker.views.jobs import job_body
from aegis_worker.views.payments import payment_body
from aegis_worker.views.screening import screening_body
from aegis_worker.views.webhooks import delivery_body

from . import shown
from .acting import done_here
from .blueprint import blueprint
from .timeline import timeline

_MOST_DELIVERIES, _MOST_TOLD, _MOST_ENTITIES, _MOST_STATES = 50, 50, 50, 500
NOTHING_HERE = "There is no such payment."


@blueprint.route("/payments/<payment_id>")
def show_payment(payment_id: str) -> str:
    """Everything about one payment."""
    return render_payment(payment_id)


@blueprint.route("/payments/<payment_id>/live")
def show_payment_live(payment_id: str) -> str:
    """What changes on it until it ends."""
    return render_template("console/payment_live.html", **read_payment(payment_id))


def render_payment(payment_id: str, **more: Any) -> str:
    """The page, with what a form on it was told."""
    return render_template("console/payment.html", **read_payment(payment_id), done=done_here(), **more)


def read_payment(payment_id: str) -> dict[str, Any]:
    """What the page shows. Raises NotFound."""
    payment_id = known_form(payment_id, PAYMENT)
    database = parts().web.database
    with database.read() as connection:
        case = read_case_file(connection, None, payment_id)
        if case is None:
            raise NotFound(NOTHING_HERE)
    with database.read() as connection:
        beside = _beside(connection, case)
    explanation = explain(case)
    payment, stored = case.stored.payment, case.stored
    body = payment_body(payment, stored.created_at, stored.updated_at)
    past = _states(case)
    return {
        "payment": {**body, "merchant_id": payment.merchant_id},
        "amount": payment.amount,
        "job": case.job and case.has_open_job and job_body(case.job),
        "why": explanation_body(explanation, for_operators=True),
        "lead": _sentences(explanation.why),
        "steps": timeline(explanation, beside.pop("told")),
        "attempts": [
            {
                **attempt_body(each, for_operators=True),
                "key": each.attempt.gateway_key,
                "means": of_attempt(each.attempt),
            }
            for each in case.attempts
        ],
        "screening": screening_body(payment),
        "states": past,
        "as_of": _as_of(case, past),
        "is_open": not payment.is_terminal or case.has_open_job,
        **beside,
    }


def _sentences(why: str) -> list[str]:
    """The parts of `why`, each as a sentence."""
    return [f"{shown.upper_first(part)}." for part in why.split("; ")]


def _beside(connection: Connection, case: CaseFile) -> dict[str, Any]:
    payment = case.stored.payment
    theirs = EntityFilters(payment_id=payment.id)
    entities: dict[str, Sequence[Mapping[str, Any]]] = {
        f"{kind.value}s": [
            entity_body(row)
            for row in list_some(connection, ORDERED[kind], None, theirs, limit=_MOST_ENTITIES).rows
        ]
        for kind in EntityKind
    }
    disputes = list_some(connection, DISPUTES, None, theirs, limit=_MOST_ENTITIES)
    deliveries = merchant_deliveries.of_owner(
        connection,
        Owner(payment.merchant_id, payment.mode),
        payment_id=payment.id,
        status=None,
        limit=_MOST_DELIVERIES,
        starting_after=None,
    )
    return {
        **entities,
        "disputes": [dispute_body(row) for row in disputes.rows],
        "deliveries": [
            {**delivery_body(each), "type": _type_of(case, each.seq)} for each in reversed(deliveries)
        ],
        "told": list_gateway_events(connection, payment_id=payment.id, limit=_MOST_TOLD),
    }


def _type_of(case: CaseFile, seq: int) -> str:
    return next((event.type.wire for event in case.events if event.seq == seq), f"event {seq}")


def _states(case: CaseFile) -> list[list[tuple[str, str]]]:
    """How it stood after each event, as names and values; empty where its history can't be folded, or is very long."""
    payment = case.stored.payment
    if len(case.events) > _MOST_STATES:
        return []
    try:
        then = list(
            states(payment, (Event(payment.id, each.seq, each.type, each.data) for each in case.events))
        )
    except IllegalTransition:
        return []
    currency = payment.amount.currency
    return [
        [
            ("state", each.state.value),
            ("certainty", each.certainty),
            ("authorized", f"{shown.amount(each.authorized_minor, currency)} {currency}"),
            ("captured", f"{shown.amount(each.captured_minor, currency)} {currency}"),
            ("refunded", f"{shown.amount(each.refunded_minor, currency)} {currency}"),
            ("at", shown.exact(event.at)),
        ]
        for each, event in zip(then, case.events, strict=True)
    ]


def _as_of(case: CaseFile, past: Sequence[object]) -> int:
    """Which event is looked at: the one of the number that was asked for, the last one at that time, or the last."""
    asked = request.args.get("as_of", "")
    if asked.isascii() and asked.isdecimal() and len(asked) < 7:
        return min(max(1, int(asked)), len(past))
    try:
        moment = shown.moment(asked)
    except ValueError:
        return len(past)
    if moment.tzinfo is None:
        return len(past)
    return min(max(1, sum(event.at <= moment for event in case.events)), len(past))


def explained(payment_id: str) -> tuple[CaseFile, Explanation]:
    """The case of a payment and its explanation, for pages that decide about it. Raises NotFound."""
    with parts().web.database.read() as connection:
        case = read_case_file(connection, None, known_form(payment_id, PAYMENT))
    if case is None:
        raise NotFound(NOTHING_HERE)
    return case, explain(case)


@blueprint.route("/payments/<payment_id>/json")
def payment_as_json(payment_id: str) -> Response:
    """The payment and its explanation, as operators' HTTP tells them."""
    case, explanation = explained(payment_id)
    payment = case.stored.payment
    body = payment_body(payment, case.stored.created_at, case.stored.updated_at)
    told = explanation_body(explanation, for_operators=True)
    return answer({"payment": {**body, "merchant_id": payment.merchant_id}, "explanation": told})
