"""Schemas of problem documents for the OpenAPI document."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, text, whole


class FieldErrorSchema(Answer):
    """One refused value, found by its `pointer` into the body (RFC 6901), or by its query `parameter` or `header`."""

    pointer = text(required=False)
    parameter = text(required=False)
    header = text(required=False)
    code = text()
    detail = text()


class ProblemSchema(Answer):
    """An error (RFC 9457). `code` is stable. If `retryable` is true, the same request, unchanged, may succeed later."""

    type = text(format="uri")
    title = text()
    status = whole()
    detail = text()
    instance = text(format="uri-reference")
    code = text()
    request_id = text()
    retryable = fields.Boolean(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema))
    allowed = fields.List(
        fields.String(), metadata={"description": "Only with invalid_state: what the payment takes now."}
    )
    gateways_say = fields.List(
        fields.Dict(),
        metadata={"description": "Only with resolution_contradicted: what each gateway answered."},
    )
    capturable = fields.Integer(
        metadata={
            "description": "Only with amount_exceeds_capturable: what may still be captured, in minor units."
        }
    )
    refundable = fields.Integer(
        metadata={
            "description": "Only with amount_exceeds_refundable: what may still be refunded, in minor units."
        }
    )
    disputed = fields.Integer(
        metadata={"description": "Only with dispute_open: what the payer disputes, in minor units."}
    )
    checks = fields.Dict(keys=fields.String(), values=fields.String())
    endpoint_id = fields.String(
        metadata={"description": "Only with duplicate_endpoint: the endpoint that already posts to this URL."}
    )
    payment_id = fields.String(
        metadata={
            "description": "Only with duplicate_reference: the payment that already has this reference."
        }
    )
