"""Schemas and examples of analytics and of customers' histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields

from aegis_api.http.documented import Answer, one_of, text, time, whole
from aegis_api.http.fields import OneOf, StrictField, StrictSchema, Text, refusal
from aegis_api.http.query_fields import Moment, page_limit, page_start
from aegis_api.payments.answer_schemas import PaymentListSchema
from aegis_api.payments.examples import A_STORED_PAYMENT
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.modes import MODES
from aegis_worker.persistence.projections import ProjectionLag
from aegis_worker.queries.analytics import GROUPS, INTERVALS, OPERATORS_GROUPS, CustomerSum, Summary
from aegis_worker.views.analytics import analytics_body, customer_body

_STATES = ("OPEN", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED")

CUSTOMER_ID = {
    "name": "customer_id",
    "in": "path",
    "description": "The merchant's own id of the customer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


class Groups(StrictField):
    """A comma-separated list of what to group by: some of `names`."""

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        self._names = names
        one = f"({'|'.join(names)})"
        documented = {
            "type": "string",
            "pattern": f"^{one}(,{one})*$",
            "example": "gateway,method",
            "description": f"By what to group, beside the currency: {', '.join(names)}, comma-separated.",
        }
        super().__init__(metadata=documented, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        wanted = tuple(value.split(","))
        if not set(wanted) <= set(self._names):
            raise refusal("invalid_value", f"Must be a comma-separated list of {', '.join(self._names)}.")
        return wanted


class AnalyticsQuerySchema(StrictSchema):
    """GET /v1/analytics/payments."""

    since = Moment(metadata={"description": "From the hour that begins then or later."})
    until = Moment(metadata={"description": "Up to this time, which is left out. The default is now."})
    interval = OneOf(frozenset(INTERVALS), "hour, day or all", load_default="all")
    group_by = Groups(GROUPS, load_default=())
    gateway = Text(64)
    method = Text(64)
    experiment = Text(64)
    arm = Text(64)
    state = OneOf(frozenset(_STATES), "OPEN or a state in which a payment is held or has ended")
    currency = OneOf(EXPONENTS, "an ISO 4217 code in capitals")


class OperatorsAnalyticsQuerySchema(AnalyticsQuerySchema):
    """GET /v1/ops/analytics/payments."""

    group_by = Groups(OPERATORS_GROUPS, load_default=())
    merchant_id = Text(64)
    mode = OneOf(frozenset(MODES), "test or live")


class CustomerQuerySchema(StrictSchema):
    """GET /v1/customers/{id}/payments."""

    limit = page_limit()
    starting_after = page_start("pay", "a payment")


class SummarySchema(Answer):
    """Payments of one step, group and currency. Fields that are not grouped by are absent."""

    at = time("When the step begins; null where there is one step only.", none=True)
    gateway = text("null: none took it yet, or ever.", none=True, required=False)
    method = text(required=False, none=True)
    experiment = text("null: they were part of no A/B test.", none=True, required=False)
    arm = text(none=True, required=False)
    state = text(required=False, enum=list(_STATES))
    currency = text()
    payments = whole("How many were accepted.")
    charged = whole("Of them, those that are held or captured now.")
    failed = whole()
    cancelled = whole()
    open = whole("Of them, those that have not ended.")
    success_rate = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "charged ÷ (charged + failed); null without any."},
    )
    amount = whole("What was to be paid, in minor units.")
    captured = whole()
    refunded = whole()
    charged_back = whole()


class FreshSchema(Answer):
    """How old the figures are."""

    complete = fields.Boolean(
        required=True,
        metadata={"description": "false while the summaries are made anew, and lack payments."},
    )
    lag_s = fields.Float(
        required=True, metadata={"description": "The age of the oldest change that they lack, in seconds."}
    )


class AnalyticsSchema(FreshSchema):
    """What payments came to, by time, group and currency."""

    object = one_of("payment_analytics")
    data = fields.List(fields.Nested(SummarySchema), required=True)


class OperatorsSummarySchema(SummarySchema):
    """Payments of one step, group and currency, of any merchant."""

    merchant_id = text(required=False)
    mode = text(required=False, enum=list(MODES))


class OperatorsAnalyticsSchema(FreshSchema):
    """What payments came to, by time, group and currency."""

    object = one_of("payment_analytics")
    data = fields.List(fields.Nested(OperatorsSummarySchema), required=True)


class CustomerSumSchema(Answer):
    """A customer's payments of one currency, amounts in minor units."""

    currency = text()
    payments = whole()
    charged = whole()
    failed = whole()
    captured = whole()
    refunded = whole()
    first_at = time("The hour in which the first was accepted.")
    last_at = time("The hour in which the last was accepted.")


class CustomerHistorySchema(FreshSchema, PaymentListSchema):
    """A page of a customer's payments, newest first, and what all of them came to."""

    object = one_of("customer_history")
    customer_id = text()
    sums = fields.List(fields.Nested(CustomerSumSchema), required=True)


_HOUR = datetime(2026, 11, 21, 9, tzinfo=UTC)
_BEHIND = ProjectionLag(pending=3, oldest_age_s=1.25, rebuilding_to=None, rebuilt_at=None)
_SUMMARY = Summary(
    at=_HOUR,
    group={"gateway": "sandbox_a"},
    currency="USD",
    payments=120,
    charged=112,
    failed=6,
    cancelled=1,
    open=1,
    amount_minor=239_880,
    captured_minor=223_888,
    refunded_minor=1999,
    charged_back_minor=0,
)
ANALYTICS = analytics_body([_SUMMARY], _BEHIND)
OPERATORS_ANALYTICS = analytics_body(
    [replace(_SUMMARY, group={"merchant_id": "mer_books", "mode": "live", "gateway": "sandbox_a"})], _BEHIND
)
CUSTOMER = customer_body(
    "cus_117", [CustomerSum("USD", 1, 1, 0, 1999, 0, _HOUR, _HOUR)], [A_STORED_PAYMENT], None, _BEHIND
)
