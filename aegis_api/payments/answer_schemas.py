"""Schemas of the answers about payments, for the OpenAPI document and for tests that check real answers."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, one_of, table, text, time, whole
from aegis_api.jobs.schemas import AcceptedJobSchema, JobSchema
from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.declines import ADVICE, CATEGORIES, DECLINES
from aegis_worker.domain.transitions import EventType, State

from .query_schemas import EXPANDABLE


class AmountsSchema(Answer):
    """What happened to the money so far, in minor units: 0 ≤ refunded ≤ captured ≤ authorized ≤ amount."""

    authorized = whole()
    captured = whole()
    refunded = whole()


class LastErrorSchema(Answer):
    """Why the payment was declined, in our words and in the gateway's."""

    code = one_of(
        *DECLINES,
        description=table(
            ("code", "category", "advised_action", "meaning"),
            *((code, told.category, told.advised_action, told.meaning) for code, told in DECLINES.items()),
        ),
    )
    category = one_of(*CATEGORIES, description=table(("category", "meaning"), *CATEGORIES.items()))
    advised_action = one_of(*ADVICE, description=table(("advised_action", "meaning"), *ADVICE.items()))
    gateway = text("Whose answer it was; null where none was asked.", none=True)
    gateway_code = text("The gateway's own code.", none=True)
    message = text("The gateway's own words, or ours; for people, not for programs.")


class PaymentLinksSchema(Answer):
    """Where the payment and its history are."""

    self = text()
    events = text()
    attempts = text()


class EventSchema(Answer):
    """One fact about a payment; it never changes. `seq` starts at 1 and has no gaps."""

    id = text("The same for every delivery of this event: dedupe on it.")
    object = one_of("event")
    type = one_of(*(kind.wire for kind in EventType))
    seq = whole()
    payment_id = text()
    data = an_object("What the event changed.")
    created_at = time()


class AttemptSchema(Answer):
    """One call to one gateway."""

    object = one_of("attempt")
    payment_id = text()
    operation = one_of("initiate", "authenticate", "process", "capture", "void", "refund")
    number = whole()
    gateway = text()
    status = one_of(
        *AttemptStatus, description="UNKNOWN: it may or may not have happened; the gateway is asked."
    )
    gateway_ref = text(none=True)
    outcome = an_object("What the gateway answered, normalised.", none=True)
    decision = an_object(
        "Why this gateway: `candidates`, best first; `left_out`, with why each was; `because`, about the gateway that was "
        "tried; `strategy`, and `scores` with what it looked at for each candidate; the `version` of the routing; where "
        "they decided, `rule`, `explored`, `experiment` and `arm`.",
        none=True,
    )
    sends = whole("How often it was sent, with one and the same gateway key.")
    checks = whole("How often the gateway was asked what became of it.")
    not_found_count = whole("How often the gateway answered that it knows nothing of it.")
    latency_ms = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "How long the gateway took; null until it has answered."},
    )
    sent_at = time()
    answered_at = time(none=True)
    last_checked_at = time(none=True)


class EventListSchema(Answer):
    """A page of a payment's events, oldest first."""

    data = fields.List(fields.Nested(EventSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)


class AttemptListSchema(Answer):
    """A payment's attempts in the order they were sent; there are never more than fit on a page."""

    data = fields.List(fields.Nested(AttemptSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)


class PaymentSchema(Answer):
    """A payment. Amounts in minor units."""

    id = text()
    object = one_of("payment")
    amount = whole()
    currency = text()
    reference = text(none=True)
    state = one_of(*State)
    certainty = one_of(
        "known",
        "unknown",
        description="unknown: there may have been a charge; it is being found out.",
    )
    capture_method = one_of("automatic", "manual")
    payment_method = an_object("As given.")
    customer = an_object("As given.")
    description = text(none=True)
    statement_descriptor = text("What the payer reads on the statement.", none=True)
    return_url = text(none=True)
    metadata = an_object("As given.")
    amounts = fields.Nested(AmountsSchema, required=True)
    gateway = text(none=True)
    gateway_ref = text(none=True)
    last_error = fields.Nested(LastErrorSchema, required=True, allow_none=True)
    next_action = an_object("What the payer must do next, such as following redirect_url.", none=True)
    version = whole("Also the ETag; grows with every event.")
    created_at = time()
    updated_at = time()
    links = fields.Nested(PaymentLinksSchema, required=True)


class ExpandedPaymentSchema(PaymentSchema):
    """A payment with what `expand` asked for."""

    events = fields.Nested(EventListSchema, metadata={"description": f"With expand={EXPANDABLE[1]}."})
    attempts = fields.Nested(AttemptListSchema, metadata={"description": f"With expand={EXPANDABLE[0]}."})


class HistorySchema(EventListSchema):
    """A page of events. With `as_of`, up to then, and the payment as it stood then; null before it existed."""

    as_of = time("As asked for.", required=False)
    payment = fields.Nested(PaymentSchema, allow_none=True, metadata={"description": "With as_of."})


class AcceptedPaymentSchema(PaymentSchema):
    """The payment as of acceptance, and the job that makes it."""

    job = fields.Nested(AcceptedJobSchema, required=True)


class DecidedPaymentSchema(PaymentSchema):
    """The payment as it stands after waiting, and its job."""

    job = fields.Nested(JobSchema, required=True)


class PaymentListSchema(Answer):
    """A page of payments, newest first."""

    data = fields.List(fields.Nested(PaymentSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("starting_after of the next page.", none=True)
