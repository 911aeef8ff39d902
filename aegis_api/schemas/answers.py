"""The API's answers, for the OpenAPI document and for the tests that compare real answers with it."""

from __future__ import annotations

from marshmallow import fields

from aegis_worker.domain.declines import ADVICE, CATEGORIES, DECLINES
from aegis_worker.domain.transitions import EventType, State

from .documented import Answer
from .documented import an_object as _object
from .documented import one_of as _one_of
from .documented import table as _table
from .documented import text as _text
from .documented import time as _time
from .documented import whole as _whole
from .queries import EXPANDABLE

JOB_OPERATIONS = ("process", "capture", "void", "refund", "sync")
JOB_STATUSES = ("queued", "running", "waiting", "succeeded", "failed", "review")
ATTEMPT_STATUSES = ("SENT", "APPROVED", "DECLINED", "ACTION_REQUIRED", "PENDING", "NOT_SENT", "UNKNOWN")


class AmountsSchema(Answer):
    """What happened to the money so far, in minor units: 0 ≤ refunded ≤ captured ≤ authorized ≤ amount."""

    authorized = _whole()
    captured = _whole()
    refunded = _whole()


class LastErrorSchema(Answer):
    """Why the payment was declined, in our words and in the gateway's."""

    code = _one_of(
        *DECLINES,
        description=_table(
            ("code", "category", "advised_action", "meaning"),
            *((code, told.category, told.advised_action, told.meaning) for code, told in DECLINES.items()),
        ),
    )
    category = _one_of(*CATEGORIES, description=_table(("category", "meaning"), *CATEGORIES.items()))
    advised_action = _one_of(*ADVICE, description=_table(("advised_action", "meaning"), *ADVICE.items()))
    gateway = _text("Whose answer it was; null where none was asked.", none=True)
    gateway_code = _text("The gateway's own code.", none=True)
    message = _text("The gateway's own words, or ours; for people, not for programs.")


class PaymentLinksSchema(Answer):
    """Where the payment and its history are."""

    self = _text()
    events = _text()
    attempts = _text()


class JobLinksSchema(Answer):
    """Where the job and its payment are."""

    self = _text()
    payment = _text(required=False)


class AcceptedJobSchema(Answer):
    """The job that makes the payment, as of acceptance; after waiting, as GET /v1/jobs/{id} tells it."""

    id = _text()
    object = _one_of("job")
    operation = _one_of("process")
    status = _one_of(*JOB_STATUSES)
    links = fields.Nested(JobLinksSchema, required=True)


class JobSchema(Answer):
    """One asynchronous operation on one payment."""

    id = _text()
    object = _one_of("job")
    payment_id = _text()
    operation = _one_of(*JOB_OPERATIONS)
    status = _one_of(
        *JOB_STATUSES, description="review: a person has to look; the payment goes on after a sync."
    )
    run_at = _time("Not before then.")
    claims = _whole("How often a worker took it up since it last made progress.")
    reason = _text("Why it waits, failed or is in review.", none=True)
    result = _object("What came of it.", none=True)
    created_at = _time()
    updated_at = _time()
    finished_at = _time(none=True)
    links = fields.Nested(JobLinksSchema, required=True)


class JobAnswerSchema(Answer):
    """The job that was made or brought forward."""

    job = fields.Nested(JobSchema, required=True)


class EventSchema(Answer):
    """One fact about a payment; it never changes. `seq` starts at 1 and has no gaps."""

    id = _text("The same for every delivery of this event: dedupe on it.")
    object = _one_of("event")
    type = _one_of(*(kind.wire for kind in EventType))
    seq = _whole()
    payment_id = _text()
    data = _object("What the event changed.")
    created_at = _time()


class AttemptSchema(Answer):
    """One call to one gateway."""

    object = _one_of("attempt")
    payment_id = _text()
    operation = _one_of("initiate", "authenticate", "process", "capture", "void", "refund")
    number = _whole()
    gateway = _text()
    status = _one_of(
        *ATTEMPT_STATUSES, description="UNKNOWN: it may or may not have happened; the gateway is asked."
    )
    gateway_ref = _text(none=True)
    outcome = _object("What the gateway answered, normalised.", none=True)
    decision = _object(
        "Why this gateway: `candidates`, best first; `left_out`, with why each was; `because`, about the gateway that was "
        "tried; `strategy`, and `scores` with what it looked at for each candidate; the `version` of the routing; where "
        "they decided, `rule`, `explored`, `experiment` and `arm`.",
        none=True,
    )
    sends = _whole("How often it was sent, with one and the same gateway key.")
    checks = _whole("How often the gateway was asked what became of it.")
    not_found_count = _whole("How often the gateway answered that it knows nothing of it.")
    latency_ms = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "How long the gateway took; null until it has answered."},
    )
    sent_at = _time()
    answered_at = _time(none=True)
    last_checked_at = _time(none=True)


class EventListSchema(Answer):
    """A page of a payment's events, oldest first."""

    data = fields.List(fields.Nested(EventSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = _text(none=True)


class AttemptListSchema(Answer):
    """A payment's attempts in the order they were sent; there are never more than fit on a page."""

    data = fields.List(fields.Nested(AttemptSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = _text(none=True)


class PaymentSchema(Answer):
    """A payment. Amounts in minor units."""

    id = _text()
    object = _one_of("payment")
    amount = _whole()
    currency = _text()
    reference = _text(none=True)
    state = _one_of(*State)
    certainty = _one_of(
        "known",
        "unknown",
        description="unknown: there may have been a charge; it is being found out.",
    )
    capture_method = _one_of("automatic", "manual")
    payment_method = _object("As given.")
    customer = _object("As given.")
    description = _text(none=True)
    return_url = _text(none=True)
    metadata = _object("As given.")
    amounts = fields.Nested(AmountsSchema, required=True)
    gateway = _text(none=True)
    gateway_ref = _text(none=True)
    last_error = fields.Nested(LastErrorSchema, required=True, allow_none=True)
    next_action = _object("What the payer must do next, such as following redirect_url.", none=True)
    version = _whole("Also the ETag; grows with every event.")
    created_at = _time()
    updated_at = _time()
    links = fields.Nested(PaymentLinksSchema, required=True)


class ExpandedPaymentSchema(PaymentSchema):
    """A payment with what `expand` asked for."""

    events = fields.Nested(EventListSchema, metadata={"description": f"With expand={EXPANDABLE[1]}."})
    attempts = fields.Nested(AttemptListSchema, metadata={"description": f"With expand={EXPANDABLE[0]}."})


class HistorySchema(EventListSchema):
    """A page of events. With `as_of`, up to then, and the payment as it stood then; null before it existed."""

    as_of = _time("As asked for.", required=False)
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
    next_cursor = _text("starting_after of the next page.", none=True)


class JobListSchema(Answer):
    """A page of jobs, newest first."""

    data = fields.List(fields.Nested(JobSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = _text("starting_after of the next page.", none=True)


class EndpointSchema(Answer):
    """Where a merchant's events are posted."""

    id = _text()
    object = _one_of("webhook_endpoint")
    url = _text(format="uri")
    event_types = fields.List(fields.String(), required=True, metadata={"description": "Empty: all of them."})
    created_at = _time()
    resting_until = _time("It did not answer; nothing is posted to it before then.", none=True)


class NewEndpointSchema(EndpointSchema):
    """A new endpoint with the secret that signs what is posted to it."""

    secret = _text("Shown this once.")


class EndpointListSchema(Answer):
    """The active endpoints, oldest first; there are never more than fit on a page."""

    data = fields.List(fields.Nested(EndpointSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = _text(none=True)


class DeliverySchema(Answer):
    """What became of one event at one endpoint."""

    id = _text()
    object = _one_of("webhook_delivery")
    event_id = _text()
    payment_id = _text()
    endpoint_id = _text()
    status = _one_of(
        "pending",
        "delivered",
        "dead",
        "cancelled",
        description="dead: given up; it can be posted again. cancelled: its endpoint was deleted, so it can't be.",
    )
    tries = _whole("How often it was tried since it was last posted again by hand.")
    due_at = _time("Not before then, while pending.")
    created_at = _time()
    delivered_at = _time(none=True)
    log = fields.List(
        fields.Dict(), required=True, metadata={"description": "The latest tries, newest last."}
    )


class DeliveryListSchema(Answer):
    """A page of deliveries, newest first."""

    data = fields.List(fields.Nested(DeliverySchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = _text("starting_after of the next page.", none=True)


class RedeliverySchema(Answer):
    """To how many endpoints the event will be posted again."""

    event_id = _text()
    deliveries = _whole()
    reason = fields.String(metadata={"description": "Only where `deliveries` is 0: why nobody gets it."})


class ReceivedSchema(Answer):
    """An event was taken: kept, or kept before."""

    received = fields.Boolean(required=True)


class HealthSchema(Answer):
    """The process lives."""

    status = _one_of("ok")


class ReadinessSchema(Answer):
    """What this process needs, and how it is. Redis is told but not needed: payments are accepted without it."""

    status = _one_of("ready")
    checks = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True, metadata={"example": {"database": "ok"}}
    )


class FieldErrorSchema(Answer):
    """One refused value: `pointer` into the body (RFC 6901), or the query `parameter`, or the `header`."""

    pointer = _text(required=False)
    parameter = _text(required=False)
    header = _text(required=False)
    code = _text()
    detail = _text()


class ProblemSchema(Answer):
    """An error (RFC 9457). `code` is stable; `retryable`: the same request may succeed later, unchanged."""

    type = _text(format="uri")
    title = _text()
    status = _whole()
    detail = _text()
    instance = _text(format="uri-reference")
    code = _text()
    request_id = _text()
    retryable = fields.Boolean(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema))
    allowed = fields.List(fields.String(), metadata={"description": "invalid_state: what it takes now."})
    gateways_say = fields.List(
        fields.Dict(), metadata={"description": "resolution_contradicted: what each gateway answered."}
    )
    checks = fields.Dict(keys=fields.String(), values=fields.String())
    endpoint_id = fields.String(
        metadata={"description": "duplicate_endpoint: the endpoint that posts there already."}
    )
    payment_id = fields.String(
        metadata={"description": "duplicate_reference: the payment that carries the reference."}
    )
