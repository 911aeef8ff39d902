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
    """One line of a batch: a payment to be made, and the key under which it is made once."""

    idempotency_key = Text(
        255,
        pattern=KEY[1:-1],
        required=True,
        metadata={
            "example": "order-1042",
            "description": (
                "New for every payment and the same for every try of it; the same as that of a single POST. Spaces around "
                "it don't count."
            ),
        },
    )


class BatchResultSchema(Answer):
    """What became of one line."""

    line = whole("Counted from 1, blank lines too.")
    idempotency_key = text("null where the line has none, or none that can be shown.", none=True)
    outcome = one_of(
        "accepted",
        "replayed",
        "refused",
        description="accepted: durable now; replayed: it was before; refused: nothing was stored, `problem` says why.",
    )
    payment_id = text("Not where it was refused.", required=False)
    job_id = text("Not where it was refused.", required=False)
    problem = fields.Nested(
        ProblemSchema, metadata={"description": "Its pointers begin at the line's object."}
    )


class BatchSchema(Answer):
    """What became of every line that is not blank, in their order."""

    object = one_of("batch")
    accepted = whole("Lines.")
    replayed = whole("Lines.")
    refused = whole("Lines.")
    data = fields.List(fields.Nested(BatchResultSchema), required=True)


def documented_body(example: str) -> dict[str, Any]:
    """The request's body. OpenAPI 3.1 has no keyword for "each line follows this schema", so the description says it."""
    about = f"1 to {MOST_AT_ONCE:,} lines, each a JSON object that follows the schema `BatchLine`."
    schema = {"type": "string", "description": about}
    return {"required": True, "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}
