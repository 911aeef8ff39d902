"""Schemas and examples of the routes that tell whether money is safe and how things have been doing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import fields
from msgspec.structs import replace

from aegis_api.http.documented import Answer, one_of, text, time, whole
from aegis_api.http.fields import StrictSchema
from aegis_api.http.query_fields import Number, page_limit, page_start
from aegis_api.payments.answer_schemas import PaymentSchema
from aegis_api.payments.examples import AN_ATTEMPT, AN_INITIATED_PAYMENT
from aegis_worker.audit.violations import INVARIANTS
from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.transitions import State
from aegis_worker.queries.by_minute import CallsThen, PaymentsThen, Span
from aegis_worker.queries.doubts import Doubt
from aegis_worker.queries.payments import StoredPayment
from aegis_worker.queries.safety import Safety, Sum
from aegis_worker.queries.waiting import WaitingNumbers
from aegis_worker.views.by_minute import gateways_by_minute_body, payments_by_minute_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.safety import doubt_body, safety_body

LONGEST_MINUTES = 1440


class CurrencySumSchema(Answer):
    """Payments of one currency, and their amounts together."""

    currency = text()
    payments = whole()
    minor = whole("In minor units.")


class SumsSchema(Answer):
    """How many payments, and their sums: one for each currency."""

    payments = whole()
    sums = fields.List(fields.Nested(CurrencySumSchema), required=True)


class ForPeopleSchema(SumsSchema):
    """Payments that wait for a person: in review, or frozen by the audit."""

    oldest_age_s = fields.Float(required=True)


class BrokenSchema(Answer):
    """How many payments have an open incident of this invariant."""

    invariant = one_of(*INVARIANTS)
    payments = whole()


class WorstSchema(Answer):
    """One of them: what the audit found."""

    payment_id = text()
    invariant = one_of(*INVARIANTS)
    summary = text()


class SafetySchema(Answer):
    """What is wrong, waits for a person, or is in doubt. Counts end at 1,000."""

    object = one_of("safety")
    as_of = time()
    wrong = fields.List(fields.Nested(BrokenSchema), required=True)
    worst = fields.Nested(WorstSchema, required=True, allow_none=True)
    for_people = fields.Nested(ForPeopleSchema, required=True)
    in_doubt = fields.Nested(SumsSchema, required=True)
    disputes_to_answer = whole()
    audited_at = time("When the audit last moved on; null if it has never run.", none=True)
    compared_at = time(
        "When ended payments were last compared with gateways; null if that was long ago or never.", none=True
    )


class DoubtSchema(Answer):
    """A payment in doubt, and the call that may or may not have happened."""

    object = one_of("doubt")
    payment_id = text()
    merchant_id = text()
    gateway = text(none=True)
    what = text("What is known of the call.", none=True)
    since = time("When the call was sent.", none=True)
    checks = whole("How often the gateway was asked about it.")
    next_at = time("When the payment's job runs again.", none=True)
    payment = fields.Nested(PaymentSchema, required=True)


class DoubtListSchema(Answer):
    """A page of payments in doubt, oldest first."""

    data = fields.List(fields.Nested(DoubtSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


class DoubtsQuerySchema(StrictSchema):
    """GET /v1/ops/doubts."""

    limit = page_limit()
    starting_after = page_start("pay", "a payment")


class MinutesQuerySchema(StrictSchema):
    """How far back."""

    minutes = Number(
        5,
        LONGEST_MINUTES,
        load_default=180,
        metadata={
            "description": "How many minutes to go back. Of more than 180, several make one step (`step_s`).",
            "default": 180,
        },
    )


def _numbers() -> fields.List[Any]:
    return fields.List(fields.Integer(), required=True)


class SpanSchema(Answer):
    """From when to when, in steps."""

    since = time()
    until = time()
    step_s = whole("How many seconds each step is long.")
    complete = fields.Boolean(
        required=True, metadata={"description": "Whether all that was asked for is counted."}
    )
    at = fields.List(
        fields.Integer(),
        required=True,
        metadata={"description": "When each step begins, in seconds since 1970."},
    )


class PaymentsByMinuteSchema(SpanSchema):
    """Payments accepted in each step, by how they stand now."""

    object = one_of("payments_by_minute")
    charged = _numbers()
    not_charged = _numbers()
    in_doubt = _numbers()
    open = _numbers()


class GatewayByMinuteSchema(Answer):
    """One gateway's calls in each step, by how they stand now."""

    gateway = text()
    calls = _numbers()
    approved = _numbers()
    declined = _numbers()
    in_doubt = _numbers()
    not_sent = _numbers()
    p95_ms = fields.List(
        fields.Float(allow_none=True),
        required=True,
        metadata={"description": "95 of 100 answers took at most as long; null where there were none."},
    )


class GatewaysByMinuteSchema(SpanSchema):
    """The gateways that were called."""

    object = one_of("gateways_by_minute")
    gateways = fields.List(fields.Nested(GatewayByMinuteSchema), required=True)


_AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
_in_doubt = replace(
    AN_INITIATED_PAYMENT, state=State.PROCESSING, version=3, certainty="unknown", gateway="sandbox_a"
)
_call = replace(
    AN_ATTEMPT,
    status=AttemptStatus.UNKNOWN,
    gateway_ref=None,
    outcome=StoredOutcome(reason="read timeout after 8 s"),
    checks=2,
)
SAFETY = safety_body(
    Safety(
        as_of=_AT,
        wrong={},
        worst=None,
        for_people=[Sum("USD", 1, 128_050)],
        in_doubt=[Sum("USD", 2, 27_400), Sum("GBP", 1, 4_900)],
        audited_at=_AT - timedelta(seconds=34),
        compared_at=_AT - timedelta(minutes=19),
        waiting=WaitingNumbers(
            0, 0.0, 12, 8.2, 0, 0, 0, 0, 0.0, 0, 0, {"doubt": 1}, {"doubt": 1320.5}, 0, 1, 111_600.0
        ),
    )
)
DOUBTS = list_body(
    [
        doubt_body(
            Doubt(
                StoredPayment(_in_doubt, _AT, _AT),
                _call,
                _AT - timedelta(minutes=11),
                _AT + timedelta(minutes=2),
            )
        )
    ],
    None,
)
_span = Span(_AT - timedelta(minutes=1), _AT, 60)
PAYMENTS_BY_MINUTE = payments_by_minute_body(
    _span, [PaymentsThen(at, 40 + number, 5, 1, 0) for number, at in enumerate(_span.steps)]
)
GATEWAYS_BY_MINUTE = gateways_by_minute_body(
    _span, [CallsThen("sandbox_a", _span.steps[0], 45, 40, 4, 1, 0, 413.0)]
)
