"""Captures, cancels and refunds over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response

from aegis_api.entities.reading import Readable, add_routes
from aegis_api.http.auth import require_merchant, require_scope
from aegis_api.http.openapi import A_BODY, A_KEY, Blueprint, headers, refuses, takes
from aegis_api.http.requests import id_parameter
from aegis_worker.domain.entities import EntityKind
from aegis_worker.ids import PAYMENT
from aegis_worker.queries.entities import ORDERED
from aegis_worker.views.entities import entity_body

from . import examples, schemas
from .ordering import ordered

blueprint = Blueprint(
    "orders",
    __name__,
    url_prefix="/v1",
    description="What is ordered of a payment that is there: captures, cancels and refunds.",
)
blueprint.before_request(require_merchant)

_PAYMENT_ID = id_parameter("payment_id", PAYMENT, "A payment.")
_OF_AMOUNTS = ("amount_step", "unsupported_by_gateway", "too_many_waiting")
_REFUSED = (
    *A_BODY,
    *A_KEY,
    "not_found",
    "invalid_state",
    "job_open",
    "payment_frozen",
    "too_many_waiting",
    "amount_step",
    "unsupported_by_gateway",
)


@blueprint.route("/payments/<payment_id>/captures", methods=["POST"], parameters=[_PAYMENT_ID])
@takes("Idempotency-Key")
@refuses(*_REFUSED, "amount_exceeds_capturable")
@blueprint.arguments(schemas.CaptureRequestSchema(), example=examples.CAPTURE_REQUEST)
@blueprint.response(
    202,
    schemas.OrderedCaptureSchema(),
    description="The capture is accepted and durable; a worker carries it out.",
    example=examples.ORDERED_CAPTURE,
    headers=headers("Location", "Retry-After", "Idempotent-Replayed"),
)
def create_capture(body: dict[str, Any], payment_id: str) -> Response:
    """Capture what a payment holds, or a part of it

    The amount is reserved at once. Where another job of the payment is under way, the capture waits behind it: `job` is
    null, and up to 20 captures and refunds may wait. A repeated request with the same key, however late, is answered with
    the capture as it is then.
    """
    return ordered(EntityKind.CAPTURE, payment_id, body)


@blueprint.route("/payments/<payment_id>/cancel", methods=["POST"], parameters=[_PAYMENT_ID])
@takes("Idempotency-Key")
@refuses(*(code for code in _REFUSED if code not in _OF_AMOUNTS))
@blueprint.arguments(schemas.CancelRequestSchema(), example={})
@blueprint.response(
    202,
    schemas.OrderedVoidSchema(),
    description="The cancel is carried out, or accepted and durable.",
    example=examples.ORDERED_VOID,
    headers=headers("Location", "Retry-After", "Idempotent-Replayed"),
)
def cancel_payment(body: dict[str, Any], payment_id: str) -> Response:
    """Cancel a payment

    A payment of which nothing was sent is CANCELLED at once. What is held is released, and what was captured of it stays.
    While the payer has to act, what they could pay is cancelled at the gateway first. While a charge may be at a
    gateway the cancel is recorded, and the payment goes to no other gateway: a hold that lands is released, a decline
    is a FAILURE, a charge that takes the money stays a success; then the cancel fails with `too_late`. To refund is a
    decision of its own.
    """
    return ordered(EntityKind.VOID, payment_id, body)


@blueprint.route("/payments/<payment_id>/refunds", methods=["POST"], parameters=[_PAYMENT_ID])
@takes("Idempotency-Key")
@refuses(*_REFUSED, "amount_exceeds_refundable", "dispute_open")
@blueprint.arguments(schemas.RefundRequestSchema(), example=examples.REFUND_REQUEST)
@blueprint.response(
    202,
    schemas.OrderedRefundSchema(),
    description="The refund is accepted and durable; a worker carries it out.",
    example=examples.ORDERED_REFUND,
    headers=headers("Location", "Retry-After", "Idempotent-Replayed"),
)
def create_refund(body: dict[str, Any], payment_id: str) -> Response:
    """Refund what was captured, or a part of it

    Needs a key with the scope `refunds:write`. The amount is reserved at once, so that no two refunds give the same money
    back. Where another job of the payment is under way, the refund waits behind it: `job` is null, and up to 20 captures
    and refunds may wait. A repeated request with the same key, however late, is answered with the refund as it is then.

    While the payer disputes the payment, a refund is refused with `dispute_open`: if the dispute is lost, the payer has the
    money back already, and a refund would pay them twice. `force: true` refunds all the same. A refund that had not been
    sent when the dispute was opened fails with the same code, unless it was forced.
    """
    require_scope("refunds:write")
    return ordered(EntityKind.REFUND, payment_id, body)


_UNTIL_IT_ENDS = (
    "One that the gateway decides later is `pending` until the gateway is known to have done or refused it."
)
_WITH_FAILED = "Those that have failed are among them."
_READABLE = (
    Readable(
        noun="capture",
        called="capture",
        shelf=ORDERED[EntityKind.CAPTURE],
        body=entity_body,
        shown=schemas.CaptureSchema(),
        page=schemas.CaptureListSchema(),
        page_query=schemas.CapturePageQuerySchema(),
        list_query=schemas.CapturesQuerySchema(),
        example=examples.CAPTURE,
        about_one=_UNTIL_IT_ENDS,
        about_list=_WITH_FAILED,
    ),
    Readable(
        noun="void",
        called="cancel",
        shelf=ORDERED[EntityKind.VOID],
        body=entity_body,
        shown=schemas.VoidSchema(),
        page=schemas.VoidListSchema(),
        page_query=schemas.VoidPageQuerySchema(),
        list_query=schemas.VoidsQuerySchema(),
        example=examples.VOID,
        about_one="It is `requested` while a charge is under way, until it is known whether there is something to release.",
        about_list=_WITH_FAILED,
    ),
    Readable(
        noun="refund",
        called="refund",
        shelf=ORDERED[EntityKind.REFUND],
        body=entity_body,
        shown=schemas.RefundSchema(),
        page=schemas.RefundListSchema(),
        page_query=schemas.RefundPageQuerySchema(),
        list_query=schemas.RefundsQuerySchema(),
        example=examples.REFUND,
        about_one=_UNTIL_IT_ENDS,
        about_list=_WITH_FAILED,
    ),
)
for _kind in _READABLE:
    add_routes(blueprint, _kind)
