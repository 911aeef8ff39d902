"""What operators order of any merchant's payment, over HTTP: captures, cancels, refunds."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.idempotency import idempotency_key
from aegis_api.http.openapi import A_BODY, A_KEY, Blueprint, headers, refuses, takes
from aegis_api.http.parts import parts
from aegis_api.http.requests import NOTHING_HERE, id_parameter, known_form, wanted_version
from aegis_api.orders import examples as order_examples
from aegis_api.orders.schemas import OrderedCaptureSchema, OrderedVoidSchema
from aegis_worker.domain.entities import EntityKind
from aegis_worker.errors import NotFound
from aegis_worker.ids import PAYMENT
from aegis_worker.people.ordering import OrderedFor, Wanted, order_for_operator
from aegis_worker.people.parts import Approval
from aegis_worker.queries import jobs
from aegis_worker.queries.entities import ORDERED, get_one
from aegis_worker.views.approvals import approval_body
from aegis_worker.views.entities import entity_body
from aegis_worker.views.jobs import job_body

from . import approval_schemas as schemas
from .approvals import two_person

_PAYMENT_ID = id_parameter("payment_id", PAYMENT, "A payment of any merchant.")
_REFUSED = (
    *A_BODY,
    *A_KEY,
    "not_found",
    "invalid_state",
    "job_open",
    "payment_frozen",
    "version_conflict",
)
_OF_AMOUNTS = ("too_many_waiting", "amount_step", "unsupported_by_gateway")

blueprint = Blueprint(
    "operator_orders",
    __name__,
    url_prefix="/v1/ops",
    description="For operators: capture, cancel and refund payments of any merchant, with a reason.",
)
blueprint.before_request(require_operator)


@blueprint.route("/payments/<payment_id>/refunds", methods=["POST"], parameters=[_PAYMENT_ID])
@takes("Idempotency-Key", "If-Match")
@refuses(*_REFUSED, *_OF_AMOUNTS, "amount_exceeds_refundable", "dispute_open")
@blueprint.arguments(schemas.OperatorRefundRequestSchema(), example=schemas.REFUND_REQUEST)
@blueprint.response(
    202,
    schemas.OperatorRefundSchema(),
    description="The refund is accepted and durable, or waits for a second person.",
    example=schemas.REFUND,
    headers=headers("Location"),
)
def refund_as_operator(body: dict[str, Any], payment_id: str) -> Response:
    """Refund any merchant's payment

    As its merchant's own request does, with a reason for the audit log. Where AEGIS_TWO_PERSON_ABOVE says so it waits for a
    second person: `approval` in place of `refund`. What was given back of the payment before counts, so splitting a refund
    saves nobody's word. A repeat under the same key changes nothing.
    """
    done = _ordered(EntityKind.REFUND, payment_id, body)
    if isinstance(done, Approval):
        told = {"object": "operator_refund", "refund": None, "approval": approval_body(done)}
        return answer(told, 202, {"Location": f"/v1/ops/approvals/{done.id}"})
    shown = _shown(EntityKind.REFUND, done)
    told = {"object": "operator_refund", "refund": shown, "approval": None}
    return answer(told, 202, {"Location": f"/v1/refunds/{shown['id']}"})


@blueprint.route("/payments/<payment_id>/captures", methods=["POST"], parameters=[_PAYMENT_ID])
@takes("Idempotency-Key", "If-Match")
@refuses(*_REFUSED, *_OF_AMOUNTS, "amount_exceeds_capturable")
@blueprint.arguments(schemas.OperatorCaptureRequestSchema(), example=schemas.WHY)
@blueprint.response(
    202,
    OrderedCaptureSchema(),
    description="The capture is accepted and durable; a worker carries it out.",
    example=order_examples.ORDERED_CAPTURE,
    headers=headers("Location"),
)
def capture_as_operator(body: dict[str, Any], payment_id: str) -> Response:
    """Capture what any merchant's payment holds, or a part of it

    As its merchant's own request does, with a reason for the audit log. A repeat under the same key changes nothing.
    """
    return _answered(EntityKind.CAPTURE, payment_id, body)


@blueprint.route("/payments/<payment_id>/cancel", methods=["POST"], parameters=[_PAYMENT_ID])
@takes("Idempotency-Key", "If-Match")
@refuses(*_REFUSED)
@blueprint.arguments(schemas.OperatorOrderRequestSchema(), example=schemas.WHY)
@blueprint.response(
    202,
    OrderedVoidSchema(),
    description="The cancel is carried out, or accepted and durable.",
    example=order_examples.ORDERED_VOID,
    headers=headers("Location"),
)
def cancel_as_operator(body: dict[str, Any], payment_id: str) -> Response:
    """Cancel any merchant's payment

    As its merchant's own request does, with a reason for the audit log. A repeat under the same key changes nothing.
    """
    return _answered(EntityKind.VOID, payment_id, body)


def _answered(kind: EntityKind, payment_id: str, body: dict[str, Any]) -> Response:
    done = _ordered(kind, payment_id, body)
    if isinstance(done, Approval):
        raise AssertionError("unreachable: only a refund needs a second person")
    shown = _shown(kind, done)
    return answer(shown, 202, {"Location": f"/v1/{kind}s/{shown['id']}"})


def _ordered(kind: EntityKind, payment_id: str, body: dict[str, Any]) -> OrderedFor | Approval:
    wanted = Wanted(
        kind,
        known_form(payment_id, PAYMENT),
        idempotency_key(),
        body["reason"],
        body.get("amount"),
        body.get("final"),
        body.get("force", False),
        wanted_version(),
        g.trail,
    )
    return order_for_operator(two_person(), wanted, actor=g.operator.actor)


def _shown(kind: EntityKind, done: OrderedFor) -> dict[str, Any]:
    with parts().web.database.read() as connection:
        stored = get_one(connection, ORDERED[kind], done.owner, done.ordered.id)
        job = done.ordered.job_id and jobs.get_job(connection, done.owner, done.ordered.job_id)
    if stored is None:
        raise NotFound(NOTHING_HERE)
    return {**entity_body(stored), "job": job_body(job) if job else None}
