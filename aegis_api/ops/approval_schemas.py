"""Schemas of approvals, and of what operators order of payments."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from aegis_api.entities.schemas import EntityLinksSchema, PageSchema
from aegis_api.http.composed import Reason
from aegis_api.http.documented import Answer, an_object, one_of, text, time, whole
from aegis_api.http.fields import BodySchema, Flag, OneOf, StrictSchema, Text, Whole
from aegis_api.http.query_fields import page_limit, page_start
from aegis_api.orders.schemas import OrderedRefundSchema
from aegis_worker.domain.approvals import APPROVAL_KINDS, APPROVAL_STATUSES
from aegis_worker.domain.money import MAX_MINOR


class ApprovalSchema(Answer):
    """What one operator asked for, and a second one has to approve."""

    id = text()
    object = one_of("approval")
    status = one_of(
        *APPROVAL_STATUSES,
        description=(
            "asked: waits for a second person. approved: is about to be carried out. failed: was approved, and can't be "
            "done as it was asked. refused: by a person. expired: nobody decided in time, or the payment moved on."
        ),
    )
    kind = one_of(*APPROVAL_KINDS, description="resolution: a decision about a payment in review.")
    payment_id = text()
    payment_version = whole(
        "The payment's version when it was asked. It is carried out at this version only."
    )
    amount = whole("In minor units: what is refunded, or the amount of the payment that is decided about.")
    currency = text()
    request = an_object("All that was asked for, as it is carried out.")
    request_sha256 = text("Of kind, payment, version and request. Who approves sends it back.")
    asked_by = text("The operator's key, `console:<name>` or `cli:<user name>`.")
    asked_at = time("When it was asked.")
    expires_at = time("When it is over if nobody decided.")
    decided_by = text("Who approved or refused it.", none=True)
    decided_at = time("When it was approved or refused.", none=True)
    decided_because = text("Their reason.", none=True)
    ended_at = time("When it came to an end, however it did.", none=True)
    ended_because = text("Why it was not carried out.", none=True)
    result = an_object("What came of it, where it was carried out.", none=True)
    links = fields.Nested(EntityLinksSchema, required=True)


class ApprovalListSchema(PageSchema):
    """A page of approvals, newest first."""

    data = fields.List(fields.Nested(ApprovalSchema), required=True)


class ApprovalsQuerySchema(StrictSchema):
    """GET /v1/ops/approvals."""

    limit = page_limit()
    starting_after = page_start("apr", "an approval")
    status = OneOf(frozenset(APPROVAL_STATUSES), "the status of an approval")
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")


class ApproveSchema(BodySchema):
    """A second person's yes."""

    request_sha256 = Text(
        64,
        required=True,
        pattern=r"[0-9a-f]{64}",
        form="64 hexadecimal digits",
        metadata={"description": "That of the approval as you have seen it."},
    )
    reason = Reason("Why; kept in the audit log.", required=True)


class RefuseSchema(BodySchema):
    """A person's no."""

    reason = Reason("Why; kept in the audit log.", required=True)


class OperatorRefundRequestSchema(BodySchema):
    """A refund to make of any merchant's payment."""

    amount = Whole(
        1,
        MAX_MINOR,
        metadata={
            "example": 500,
            "description": "Minor units. The default is all that may still be refunded.",
        },
    )
    force = Flag(
        metadata={"description": "Refund although the payer disputes the payment.", "default": False}
    )
    reason = Reason("Why; kept in the audit log, never told to the merchant.", required=True)


class OperatorRefundSchema(Answer):
    """What became of the request: a refund, or what waits for a second person."""

    object = one_of("operator_refund")
    refund = fields.Nested(
        OrderedRefundSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The refund; null while nobody has approved it."},
    )
    approval = fields.Nested(
        ApprovalSchema,
        required=True,
        allow_none=True,
        metadata={"description": "What waits for a second person; null where none was needed."},
    )


class OperatorOrderRequestSchema(BodySchema):
    """Why an operator cancels."""

    reason = Reason("Why; kept in the audit log, never told to the merchant.", required=True)


class OperatorCaptureRequestSchema(OperatorOrderRequestSchema):
    """A capture to make of any merchant's payment."""

    amount = Whole(
        1,
        MAX_MINOR,
        metadata={
            "example": 1200,
            "description": "Minor units. The default is all that may still be captured.",
        },
    )
    final = Flag(metadata={"description": "Whether the rest of the hold is released."})


_ASKED_AT, _EXPIRES_AT = "2026-11-21T09:30:00.654321Z", "2026-11-22T09:30:00.654321Z"
_PAYMENT = "pay_0199a7c5a0f47d5a8f0e6b1c2d3e4f50"
_APPROVAL = "apr_0199a7c5a0f47d5a8f0e6b1c2d3e4f56"
APPROVAL: dict[str, Any] = {
    "id": _APPROVAL,
    "object": "approval",
    "status": "asked",
    "kind": "refund",
    "payment_id": _PAYMENT,
    "payment_version": 4,
    "amount": 90_000,
    "currency": "USD",
    "request": {
        "all_that_was_left": False,
        "amount": 90_000,
        "force": False,
        "key": "refund-1",
        "reason": "the goods never arrived, ticket 4711",
    },
    "request_sha256": "6f1d" * 16,
    "asked_by": "key_0199a7c5a0f47d5a8f0e6b1c2d3e4f54 (night)",
    "asked_at": _ASKED_AT,
    "expires_at": _EXPIRES_AT,
    "decided_by": None,
    "decided_at": None,
    "decided_because": None,
    "ended_at": None,
    "ended_because": None,
    "result": None,
    "links": {"self": f"/v1/ops/approvals/{_APPROVAL}", "payment": f"/v1/payments/{_PAYMENT}"},
}
APPROVALS = {"data": [APPROVAL], "has_more": False, "next_cursor": None}
APPROVE = {
    "request_sha256": APPROVAL["request_sha256"],
    "reason": "I have seen the ticket and the parcel's trace",
}
REFUSE = {"reason": "the parcel was delivered on 20 November"}
CARRIED_OUT = APPROVAL | {
    "status": "carried_out",
    "decided_by": "console:ada",
    "decided_at": _ASKED_AT,
    "decided_because": APPROVE["reason"],
    "ended_at": _ASKED_AT,
    "result": {"refund_id": "ref_0199a7c5a0f47d5a8f0e6b1c2d3e4f57"},
}
REFUSED = APPROVAL | {
    "status": "refused",
    "decided_by": "console:ada",
    "decided_at": _ASKED_AT,
    "decided_because": REFUSE["reason"],
    "ended_at": _ASKED_AT,
}
REFUND_REQUEST = {"amount": 90_000, "reason": APPROVAL["request"]["reason"]}
REFUND = {"object": "operator_refund", "refund": None, "approval": APPROVAL}
WHY = {"reason": "the customer has called, ticket 4711"}
