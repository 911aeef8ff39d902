"""Schemas and examples of finding payments of any merchant, and of asking gateways about one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields
from msgspec.structs import replace

from aegis_api.http.documented import Answer, one_of, text, time, whole
from aegis_api.http.fields import Fault, Text
from aegis_api.jobs.examples import A_JOB
from aegis_api.jobs.schemas import JobSchema
from aegis_api.payments.answer_schemas import PaymentSchema
from aegis_api.payments.examples import AN_ATTEMPT, AN_INITIATED_PAYMENT
from aegis_api.payments.query_schemas import PaymentsQuerySchema
from aegis_worker.domain.outcomes import Unknown
from aegis_worker.queries.payments import StoredPayment
from aegis_worker.review.answers import Said
from aegis_worker.review.questions import Asked
from aegis_worker.views.finding import found_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.questions import asked_body


class FindQuerySchema(PaymentsQuerySchema):
    """GET /v1/ops/payments."""

    q = Text(
        255,
        metadata={
            "description": "Whatever you have in hand: an id, a key of an attempt, a reference, a customer.",
            "example": "order-1042",
        },
    )

    def load(self, data: Any, **options: Any) -> dict[str, Any]:
        """Load it. Raises ValidationError, also where `q` comes with a filter or a cursor."""
        loaded: dict[str, Any] = super().load(data, **options)
        if "q" in loaded and (others := sorted(set(loaded) - {"q", "limit"})):
            raise ValidationError({others[0]: [Fault("not_taken", "Give either q or filters.")]})
        return loaded


class FoundPaymentSchema(PaymentSchema):
    """A payment of any merchant, and its open job."""

    merchant_id = text()
    job = fields.Nested(JobSchema, required=True, allow_none=True)


class FoundListSchema(Answer):
    """A page of payments, newest first."""

    data = fields.List(fields.Nested(FoundPaymentSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


class AnswerOfGatewaySchema(Answer):
    """What one gateway says of one call."""

    gateway = text()
    operation = text()
    attempt = whole()
    says = text("In words.")
    proves = one_of(
        "what_it_says",
        "absence",
        "too_early",
        "nothing",
        description=(
            "absence: it does not know the call, which was so long ago that it would. too_early: it does not know it, and "
            "may not show it yet. nothing: it could not be asked, or its answer says nothing."
        ),
    )


class AskedSchema(Answer):
    """What the gateways answered."""

    object = one_of("answers_of_gateways")
    payment_id = text()
    version = whole("The payment's version when it was asked about.")
    at = time()
    gateways_say = fields.List(fields.Nested(AnswerOfGatewaySchema), required=True)
    settles = fields.Boolean(
        required=True, metadata={"description": "Whether a worker asks as well now, and settles it."}
    )
    job_id = text("The job that settles it.", none=True)


_AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
FOUND = list_body(
    [
        found_body(
            StoredPayment(AN_INITIATED_PAYMENT, _AT, _AT),
            replace(A_JOB, status="queued", result=None, finished_at=None),
        )
    ],
    None,
)
ASKED = asked_body(
    Asked(AN_INITIATED_PAYMENT.id, 4, _AT, [Said(AN_ATTEMPT, Unknown("look-up answered HTTP 503"))], None)
)
