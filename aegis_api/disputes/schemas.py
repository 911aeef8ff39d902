"""Schemas of disputes."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.entities.schemas import EntityLinksSchema, ListQuerySchema, PageQuerySchema, PageSchema
from aegis_api.http.documented import Answer, one_of, table, text, time, whole
from aegis_api.http.fields import OneOf
from aegis_api.http.query_fields import page_start
from aegis_worker.domain.dispute_statuses import MEANINGS, DisputeStatus
from aegis_worker.domain.disputes import REASONS

_STATUS = table(("status", "means"), *((status.value, meaning) for status, meaning in MEANINGS.items()))


class DisputeSchema(Answer):
    """A dispute: the payer's bank questions a charge. It is answered at the gateway, where the evidence stays.

    Amounts are in minor units.
    """

    id = text()
    object = one_of("dispute")
    payment_id = text()
    amount = whole("What is disputed: all of the payment, or a part.")
    currency = text("The dispute's own, which may be another than the payment's.")
    status = one_of(*DisputeStatus, description=_STATUS)
    reason = one_of(
        *REASONS, description=table(("reason", "means"), *((name, why) for name, why in REASONS.items()))
    )
    respond_by = time("Until when the gateway takes evidence; null where it wants none.", none=True)
    own_charge = fields.Boolean(
        required=True,
        metadata={
            "description": "Whether it is about the charge that the payment stands on, and not about a duplicate."
        },
    )
    gateway = text()
    gateway_ref = text("The gateway's id of the dispute, by which it is answered there.")
    gateway_status = text("The gateway's own word.")
    gateway_reason = text("The gateway's own code.", none=True)
    created_at = time("When we heard of it.")
    updated_at = time()
    links = fields.Nested(EntityLinksSchema, required=True)


class DisputeListSchema(PageSchema):
    """A page of disputes, newest first."""

    data = fields.List(fields.Nested(DisputeSchema), required=True)


class DisputePageQuerySchema(PageQuerySchema):
    """GET /v1/payments/{id}/disputes."""

    starting_after = page_start("dsp", "a dispute")


class DisputesQuerySchema(ListQuerySchema):
    """GET /v1/disputes."""

    starting_after = page_start("dsp", "a dispute")
    status = OneOf(frozenset(DisputeStatus), "the status of a dispute")
