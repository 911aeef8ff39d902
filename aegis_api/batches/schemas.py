"""Batches of payments: how the document describes a line, and the answer."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from aegis_api.http.documented import Answer, one_of, text, whole
from aegis_api.http.fields import Text
from aegis_api.http.schemas import ProblemSchema
from aegis_api.payments.request_schemas import PaymentRequestSchema
from aegis_worker.domain.text import KEY
from aegis_worker.intake import MOST_AT_ONCE

MEDIA_TYPE = "application/x-ndjson"


class BatchLineSchema(PaymentRequestSchema):
    """One line of a batch: a payment to make, and the idempotency key that keeps it from being made twice."""

    idempotency_key = Text(
        255,
        pattern=KEY[1:-1],
        required=True,
        metadata={
            "example": "order-1042",
            "description": (
                "Use a new key for each payment, and repeat the key when you repeat the payment. It works like the "
                "`Idempotency-Key` header of a single POST. Spaces around it are ignored."
            ),
        },
    )


class BatchResultSchema(Answer):
    """The result of one line."""

    line = whole("The line's number, from 1; blank lines are counted.")
    idempotency_key = text("null if the line has no key, or one that can't be shown.", none=True)
    outcome = one_of(
        "accepted",
        "replayed",
        "refused",
        description=(
            "accepted: the payment is stored now; replayed: it was stored by an earlier request; refused: nothing was "
            "stored, and `problem` says why."
        ),
    )
    payment_id = text("Absent if the line was refused.", required=False)
    job_id = text("Absent if the line was refused.", required=False)
    problem = fields.Nested(
        ProblemSchema,
        metadata={"description": "Why the line was refused. Its pointers start at the line's object."},
    )


class BatchSchema(Answer):
    """The result of every line that is not blank, in the order of the lines."""

    object = one_of("batch")
    accepted = whole("How many lines were accepted.")
    replayed = whole("How many lines were accepted by an earlier request.")
    refused = whole("How many lines were refused.")
    data = fields.List(fields.Nested(BatchResultSchema), required=True)


def documented_body(example: str) -> dict[str, Any]:
    """The request's body. OpenAPI 3.1 has no keyword for "each line follows this schema", so the description says it."""
    about = f"1 to {MOST_AT_ONCE:,} lines, each a JSON object that follows the schema `BatchLine`."
    schema = {"type": "string", "description": about}
    return {"required": True, "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}
