"""The answers of the operators' routes."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.explanations.schemas import IncidentSummarySchema
from aegis_api.http.documented import Answer, an_object, one_of, text, time, whole
from aegis_api.jobs.schemas import JobSchema
from aegis_api.payments.answer_schemas import AttemptSchema, PaymentSchema
from aegis_worker.domain.transitions import State
from aegis_worker.queries import stuck
from aegis_worker.review.case import KINDS


class AuditLogEntrySchema(Answer):
    """One decision. `hash` is SHA-256 over `previous_hash` and the canonical JSON of the entry."""

    object = one_of("audit_log_entry")
    seq = whole("Starts at 1 and has no gaps.")
    at = time()
    actor = text("The operator's key, or `cli:<user name>`.")
    action = text()
    payment_id = text(none=True)
    details = an_object("What was decided, and the reason given.")
    previous_hash = text("Of the entry before it; zeros before the first.")
    hash = text()


class AuditLogSchema(Answer):
    """A page of the audit log, newest first."""

    data = fields.List(fields.Nested(AuditLogEntrySchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("starting_after of the next page.", none=True)


class LastSaidSchema(Answer):
    """How the latest call stands and when the gateway last said something about it."""

    gateway = text()
    operation = text()
    attempt = whole()
    status = text()
    outcome = an_object("What the gateway answered, normalised.", none=True)
    looked_up = whole("How often the gateway was asked.")
    not_found = whole("How often it knew nothing of it.")
    at = time(none=True)


class StandingDecisionSchema(Answer):
    """A person's decision that no gateway confirmed: it waits to take effect, or a gateway has contradicted it since."""

    id = text()
    status = one_of("waiting", "refused")
    resolution = one_of("charged", "not_charged")
    reason = text()
    evidence = text("What the decision stands on, such as an id from the gateway's dashboard.")
    gateway = text(none=True)
    gateway_ref = text(none=True)
    attempt = fields.Integer(required=True, allow_none=True)
    actor = text("The operator's key, or `cli:<user name>`.")
    made_at = time("When it was made.")
    takes_effect_at = time("When it takes effect without an answer from the gateway.")
    refused_at = time("When a gateway contradicted it.", none=True)
    refused_because = text("What the gateway said.", none=True)


class ReviewSchema(Answer):
    """A payment that waits for a person, with the evidence."""

    object = one_of("review")
    payment_id = text()
    merchant_id = text()
    since = time("When its job came into review, or when it was frozen.")
    reason = text("Why a person has to look.")
    frozen_at = time("Its events don't lead to its row; nothing moves until it is rebuilt.", none=True)
    resolutions = fields.List(
        fields.String(metadata={"enum": list(KINDS)}),
        required=True,
        metadata={"description": "What may be decided now."},
    )
    decision = fields.Nested(StandingDecisionSchema, required=True, allow_none=True)
    last_said = fields.Nested(LastSaidSchema, required=True, allow_none=True)
    payment = fields.Nested(PaymentSchema, required=True)
    job = fields.Nested(JobSchema, required=True, allow_none=True)
    attempts = fields.List(fields.Nested(AttemptSchema), required=True)
    incidents = fields.List(fields.Nested(IncidentSummarySchema), required=True)


class ReviewListSchema(Answer):
    """A page of what waits for a person, oldest payment first."""

    data = fields.List(fields.Nested(ReviewSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("starting_after of the next page.", none=True)


class GatewaySaysSchema(Answer):
    """What a gateway answered when it was asked about a charge."""

    gateway = text()
    attempt = whole()
    says = text()


class ResolvedSchema(Answer):
    """What came of a decision."""

    object = one_of("resolution")
    payment_id = text()
    job_id = text(none=True)
    resolution = one_of(*KINDS)
    checked = text(
        "How far the gateways confirm it. null: not asked.",
        none=True,
        enum=["confirmed", "not_found", "too_early", "unanswered", "nothing_sent", None],
    )
    took_effect = text(
        "Why it did, at once: confirmed or forced. null: it waits (see `decision`), or nothing was decided.",
        none=True,
        enum=["confirmed", "forced", None],
    )
    decision = fields.Nested(StandingDecisionSchema, required=True, allow_none=True)
    gateways_say = fields.List(fields.Nested(GatewaySaysSchema), required=True)
    state_changed = fields.Boolean(required=True)
    state = one_of(*State)
    certainty = one_of("known", "unknown")
    version = whole()
    rebuilt = an_object("rebuild: the fields of the row that were wrong, each with row and history.")
    note = text("What was done, in words.")


class LagSchema(Answer):
    """How far behind delivery to a sink is."""

    pending = whole("Not delivered yet.")
    failed = whole("Of these, have failed before and will be tried again.")
    leased = whole("Of these, are being delivered just now.")
    oldest_age_s = fields.Float(required=True, metadata={"description": "Of the oldest pending; 0 for none."})


class WebhookLagSchema(LagSchema):
    """How far behind webhooks are."""

    dead = whole("Made in the last 7 days and given up; each can be posted again.")
    cancelled = whole("Made in the last 7 days for an endpoint that was deleted since; nobody can get them.")


class OutboxSchema(Answer):
    """How far behind delivery is, by sink."""

    object = one_of("outbox")
    stream = fields.Nested(LagSchema, required=True)
    webhooks = fields.Nested(WebhookLagSchema, required=True)


class StuckSchema(Answer):
    """One thing that should have moved by itself and has not."""

    kind = one_of(*stuck.KINDS)
    id = text("Of the job, payment, event or delivery.")
    payment_id = text()
    merchant_id = text()
    since = time()
    overdue_s = fields.Float(required=True)
    why = text()
    what_to_do = text()


class StuckListSchema(Answer):
    """What is overdue as of one moment, kind by kind."""

    object = one_of("stuck")
    as_of = time()
    data = fields.List(fields.Nested(StuckSchema), required=True)
    more = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The kinds of which there is more than was listed."},
    )
