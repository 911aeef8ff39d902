"""Schemas of captures and refunds, for requests and answers."""

from __future__ import annotations

from typing import get_args

from marshmallow import fields

from aegis_api.entities.schemas import EntityLinksSchema, ListQuerySchema, PageQuerySchema, PageSchema
from aegis_api.http.documented import Answer, one_of, text, time, whole
from aegis_api.http.fields import BodySchema, Flag, OneOf, Whole
from aegis_api.http.query_fields import page_start
from aegis_api.http.refusals import LastErrorSchema
from aegis_api.jobs.schemas import JobSchema
from aegis_worker.domain.entities import EntityStatus, Origin
from aegis_worker.domain.money import MAX_MINOR


class CaptureRequestSchema(BodySchema):
    """A capture to make. An empty object captures all that is left."""

    amount = Whole(
        1,
        MAX_MINOR,
        metadata={
            "example": 1200,
            "description": "Minor units. The default is all that may still be captured.",
        },
    )
    final = Flag(
        metadata={
            "description": (
                "Whether the rest of the hold is released. The default is false, but true for a capture of all that is "
                "left, and at a gateway that captures a hold only once."
            )
        }
    )


_STATUS = (
    "requested: nothing was sent yet. waiting: the gateway refunds the charge only once it is settled. pending: the "
    "gateway may have it. A success may still fail later, where the gateway takes its word back."
)


class EntitySchema(Answer):
    """What captures and refunds have in common. Amounts are in minor units."""

    id = text()
    payment_id = text()
    amount = whole()
    currency = text()
    origin = one_of(
        *get_args(Origin),
        description="gateway: somebody asked for it at the gateway itself, such as in its dashboard.",
    )
    status = one_of(*EntityStatus, description=_STATUS)
    gateway = text("Where it was sent; null before that.", none=True)
    gateway_ref = text(none=True)
    error = fields.Nested(
        LastErrorSchema, required=True, allow_none=True, metadata={"description": "Why it failed."}
    )
    created_at = time()
    updated_at = time()
    links = fields.Nested(EntityLinksSchema, required=True)


class CaptureSchema(EntitySchema):
    """A capture: all or a part of what a payment holds is taken. Amounts are in minor units."""

    object = one_of("capture")
    final = fields.Boolean(
        required=True, metadata={"description": "Whether the rest of the hold is released."}
    )


class RefundRequestSchema(BodySchema):
    """A refund to make. An empty object refunds all that is left."""

    amount = Whole(
        1,
        MAX_MINOR,
        metadata={
            "example": 500,
            "description": "Minor units. The default is all that may still be refunded.",
        },
    )
    force = Flag(
        metadata={
            "description": (
                "Refund although the payer disputes the payment. If the dispute is lost, they are paid twice. The default "
                "is false."
            )
        }
    )


class RefundSchema(EntitySchema):
    """A refund: all or a part of what was captured is given back. Amounts are in minor units."""

    object = one_of("refund")
    forced = fields.Boolean(
        required=True,
        metadata={"description": "Whether it was wanted although the payer disputed the payment."},
    )


class CancelRequestSchema(BodySchema):
    """An empty object."""


class VoidSchema(EntitySchema):
    """A cancel: the payment ends before money moves, or what it holds is released. `amount` is the payment's.

    `requested` until it is known whether the gateway holds the funds. It fails with `too_late` where the payment had
    succeeded or failed before.
    """

    object = one_of("void")


class OrderedVoidSchema(VoidSchema):
    """The cancel, and the job that releases the funds."""

    job = fields.Nested(
        JobSchema,
        required=True,
        allow_none=True,
        metadata={"description": "null where nothing had been sent, or while it waits for another job."},
    )


_JOB = {"description": "null while it waits behind another job of the payment."}


class OrderedCaptureSchema(CaptureSchema):
    """The capture, and its job."""

    job = fields.Nested(JobSchema, required=True, allow_none=True, metadata=_JOB)


class OrderedRefundSchema(RefundSchema):
    """The refund, and its job."""

    job = fields.Nested(JobSchema, required=True, allow_none=True, metadata=_JOB)


def _of_status() -> OneOf:
    return OneOf(frozenset(EntityStatus), "the status of a capture, cancel or refund")


class CaptureListSchema(PageSchema):
    """A page of captures, newest first."""

    data = fields.List(fields.Nested(CaptureSchema), required=True)


class CapturePageQuerySchema(PageQuerySchema):
    """GET /v1/payments/{id}/captures."""

    starting_after = page_start("cap", "a capture")


class CapturesQuerySchema(ListQuerySchema):
    """GET /v1/captures."""

    starting_after = page_start("cap", "a capture")
    status = _of_status()


class RefundListSchema(PageSchema):
    """A page of refunds, newest first."""

    data = fields.List(fields.Nested(RefundSchema), required=True)


class RefundPageQuerySchema(PageQuerySchema):
    """GET /v1/payments/{id}/refunds."""

    starting_after = page_start("ref", "a refund")


class RefundsQuerySchema(ListQuerySchema):
    """GET /v1/refunds."""

    starting_after = page_start("ref", "a refund")
    status = _of_status()


class VoidListSchema(PageSchema):
    """A page of cancels, newest first."""

    data = fields.List(fields.Nested(VoidSchema), required=True)


class VoidPageQuerySchema(PageQuerySchema):
    """GET /v1/payments/{id}/voids."""

    starting_after = page_start("voi", "a cancel")


class VoidsQuerySchema(ListQuerySchema):
    """GET /v1/voids."""

    starting_after = page_start("voi", "a cancel")
    status = _of_status()
