"""The answers of the operators' routes."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.explanations.schemas import IncidentSummarySchema
from aegis_api.http.documented import Answer, an_object, one_of, text, time, whole
from aegis_api.jobs.schemas import JobSchema
from aegis_api.payments.answer_schemas import AttemptSchema, PaymentSchema
from aegis_worker.domain.reviews import REVIEW_KINDS
from aegis_worker.domain.screening import Action
from aegis_worker.domain.transitions import State
from aegis_worker.queries import stuck
from aegis_worker.review.case import KINDS


class AuditLogEntrySchema(Answer):
    """One decision that a person made. `hash` is SHA-256 over `previous_hash` and the canonical JSON of the entry."""

    object = one_of("audit_log_entry")
    seq = whole("Starts at 1 and has no gaps.")
    at = time()
    actor = text("The operator's key, `console:<name>`, or `cli:<user name>`.")
    action = text()
    payment_id = text(none=True)
    details = an_object("What was decided, and the reason given.")
    previous_hash = text("The hash of the previous entry; zeros for the first entry.")
    hash = text()


class AuditLogSchema(Answer):
    """A page of the audit log, newest first."""

    data = fields.List(fields.Nested(AuditLogEntrySchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


class LastSaidSchema(Answer):
    """The state of the latest call to a gateway, and when the gateway last said something about it."""

    gateway = text()
    operation = text()
    attempt = whole()
    status = text()
    outcome = an_object("What the gateway answered, in AegisPay's own terms.", none=True)
    looked_up = whole("How often the gateway was asked about the call.")
    not_found = whole("How often it answered that it does not know the call.")
    at = time(none=True)


class StandingDecisionSchema(Answer):
    """A person's decision that no gateway has confirmed. It waits to take effect, or a gateway has contradicted it."""

    id = text()
    status = one_of("waiting", "refused")
    resolution = one_of("charged", "not_charged", "succeeded", "failed")
    reason = text()
    evidence = text("What the decision is based on, such as an id from the gateway's dashboard.")
    gateway = text(none=True)
    gateway_ref = text(none=True)
    attempt = fields.Integer(required=True, allow_none=True)
    actor = text("The operator's key, `console:<name>`, or `cli:<user name>`.")
    made_at = time("When it was made.")
    takes_effect_at = time("When it takes effect if the gateway gives no answer until then.")
    refused_at = time("When a gateway contradicted it.", none=True)
    refused_because = text("What the gateway that contradicted it said.", none=True)


class FindingSchema(Answer):
    """What one hook or rule said."""

    source = text("Such as `hook our_shop:fraud` or `rule high-value`.")
    action = one_of(*Action)
    reason = text(none=True)
    score = whole("From 0 to 100; null where it gave none.", none=True)
    failed = text("Why it gave no answer; the action is then that of its failure policy.", none=True)


class ScreeningSchema(Answer):
    """What hooks and rules said before the payment was sent anywhere."""

    action = one_of(*Action, description="The most severe of all that was found.")
    score = whole("The highest score that was given; null where none was.", none=True)
    three_ds = fields.Boolean(
        required=True, metadata={"description": "Whether the payer has to authenticate by 3-D Secure."}
    )
    approved = fields.Boolean(required=True, metadata={"description": "Whether a person has let it go on."})
    findings = fields.List(
        fields.Nested(FindingSchema),
        required=True,
        metadata={"description": "What each of them said, in the order in which they were asked."},
    )


class ReviewSchema(Answer):
    """A payment that waits for a person's decision, with the evidence."""

    object = one_of("review")
    payment_id = text()
    merchant_id = text()
    kind = one_of(
        *REVIEW_KINDS,
        description=(
            "doubt: what happened at a gateway has to be found out. fraud: nothing was sent yet, and a person says whether "
            "it may be."
        ),
    )
    since = time("When its job went to review, or when the audit froze it.")
    reason = text("Why a person has to decide.")
    frozen_at = time(
        "When the audit froze it, because its row contradicts its events. No work is done on it until it is rebuilt.",
        none=True,
    )
    resolutions = fields.List(
        fields.String(metadata={"enum": list(KINDS)}),
        required=True,
        metadata={"description": "The decisions that may be made now."},
    )
    screening = fields.Nested(
        ScreeningSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "What hooks and rules said before anything was sent; null where none was asked."
        },
    )
    security_code_until = time(
        "Of a fraud review: until when, at the latest, the vault holds the card's security code. What is approved later "
        "fails, unsent (`security_code_gone`, or `card_gone` of a card for this payment alone). null: no code is kept.",
        none=True,
    )
    decision = fields.Nested(StandingDecisionSchema, required=True, allow_none=True)
    last_said = fields.Nested(LastSaidSchema, required=True, allow_none=True)
    payment = fields.Nested(PaymentSchema, required=True)
    job = fields.Nested(JobSchema, required=True, allow_none=True)
    attempts = fields.List(fields.Nested(AttemptSchema), required=True)
    incidents = fields.List(fields.Nested(IncidentSummarySchema), required=True)


class ReviewListSchema(Answer):
    """A page of the payments that wait for a person, oldest payment first."""

    data = fields.List(fields.Nested(ReviewSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


class GatewaySaysSchema(Answer):
    """What a gateway answered when it was asked about a charge."""

    gateway = text()
    attempt = whole()
    says = text()


class ResolvedSchema(Answer):
    """The result of a decision."""

    object = one_of("resolution")
    payment_id = text()
    job_id = text(none=True)
    resolution = one_of(*KINDS)
    checked = text(
        "How far the gateways confirm the decision. null if none was asked.",
        none=True,
        enum=["confirmed", "not_found", "too_early", "unanswered", "nothing_sent", None],
    )
    took_effect = text(
        "Why the decision took effect at once. null if it waits (see `decision`), or if there was nothing to take effect.",
        none=True,
        enum=["confirmed", "forced", None],
    )
    decision = fields.Nested(StandingDecisionSchema, required=True, allow_none=True)
    gateways_say = fields.List(fields.Nested(GatewaySaysSchema), required=True)
    state_changed = fields.Boolean(required=True)
    state = one_of(*State)
    certainty = one_of("known", "unknown")
    version = whole()
    rebuilt = an_object(
        "Only with rebuild: the fields of the row that were wrong, each as the row had it and as the events have it."
    )
    note = text("What was done, in a sentence.")


class LagSchema(Answer):
    """How many events wait for delivery to a sink, and for how long."""

    pending = whole("Events that are not delivered yet.")
    failed = whole("How many of these failed before and will be tried again.")
    leased = whole("How many of these are being delivered now.")
    oldest_age_s = fields.Float(
        required=True,
        metadata={"description": "The age of the oldest pending event in seconds; 0 if there is none."},
    )


class WebhookLagSchema(LagSchema):
    """How many webhook deliveries wait, and for how long."""

    dead = whole("Deliveries of the last 7 days that were given up; each can be posted again.")
    cancelled = whole("Deliveries of the last 7 days whose endpoint was deleted; they can't be posted again.")


class OutboxSchema(Answer):
    """How many events wait for delivery, for each sink."""

    object = one_of("outbox")
    stream = fields.Nested(LagSchema, required=True)
    webhooks = fields.Nested(WebhookLagSchema, required=True)


class StuckSchema(Answer):
    """One job, payment, event or delivery that should have moved on by itself and has not."""

    kind = one_of(*stuck.KINDS)
    id = text("The id of the job, payment, event or delivery.")
    payment_id = text()
    merchant_id = text()
    since = time()
    overdue_s = fields.Float(required=True)
    why = text()
    what_to_do = text()


class StuckListSchema(Answer):
    """Everything that is overdue at one moment, kind by kind."""

    object = one_of("stuck")
    as_of = time()
    data = fields.List(fields.Nested(StuckSchema), required=True)
    more = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The kinds of which more are overdue than are listed here."},
    )


class ErasureSchema(Answer):
    """What was erased, in rows."""

    object = one_of("erasure")
    cards = whole(
        "Cards of the vault that were destroyed; null: the process that was asked has no card vault.",
        none=True,
    )
    payments = whole("Payments that lost who the customer is and what they were paid by.")
    reviews = whole("Payments that were held back for a person, and fail now.")
    payer_details = whole("Payers' details.")
    actions = whole("What payers had to do.")
    confirms = whole("What payers brought back.")
    event_bodies = whole("Bodies of gateways' events.")
    exchanges = whole("Exchanges with gateways.")
    endpoint_answers = whole("Deliveries of which what the endpoint answered is gone.")
    facts = whole("Payments that are found no more by last four digits or metadata.")
    complete = fields.Boolean(
        required=True,
        metadata={
            "description": "Whether that was all, but for cards where these are null; if not, send the request again."
        },
    )
