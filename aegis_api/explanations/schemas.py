"""The answer of the explanation routes."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, one_of, text, time, whole
from aegis_api.payments.exchange_schemas import ExchangeSchema
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.review.case import KINDS


class IncidentSummarySchema(Answer):
    """A fault that the audit found and that has not been corrected yet."""

    id = text()
    invariant = text()
    summary = text()
    found_at = time()


class CertaintySchema(Answer):
    """Whether the outcome of the last charge is known, and why."""

    value = one_of("known", "unknown")
    because = text()


class NextSchema(Answer):
    """What happens next, who does it and when."""

    what = text()
    who = one_of("worker", "person", "payer", "merchant", "nobody")
    at = time("When it happens. null if no time is set, or nothing happens.", none=True)
    resolutions = fields.List(
        fields.String(metadata={"enum": list(KINDS)}),
        required=True,
        metadata={"description": "What a person may decide now. Empty if no decision is needed."},
    )


class EvidenceSchema(Answer):
    """One observation about the payment."""

    at = time()
    source = one_of("call", "answer", "look_up", "person")
    what = text()


class DecisionSchema(Answer):
    """One decision, and the facts that it was based on. Of hooks merchants see only which action holds."""

    at = time()
    kind = one_of("screening", "route", "retry", "hook")
    what = text()
    why = text()
    facts = an_object("The facts that the decision was based on.")


class HistoryItemSchema(Answer):
    """An event in words."""

    seq = whole()
    at = time()
    type = one_of(*(kind.wire for kind in EventType))
    what = text()


class ByPersonSchema(Answer):
    """A person's decision. Operators get the whole entry of the audit log."""

    seq = whole()
    at = time()
    action = text()
    resolution = text(none=True, required=False)
    checked = text(none=True, required=False)
    object = text(required=False)
    actor = text(required=False)
    payment_id = text(required=False, none=True)
    details = fields.Dict()
    previous_hash = text(required=False)
    hash = text(required=False)


class ExplanationSchema(Answer):
    """Why a payment is in its state."""

    object = one_of("explanation")
    payment_id = text()
    as_of = time()
    state = one_of(*State)
    why = text()
    certainty = fields.Nested(CertaintySchema, required=True)
    next = fields.Nested(NextSchema, required=True)
    evidence = fields.List(
        fields.Nested(EvidenceSchema),
        required=True,
        metadata={"description": "What was observed, oldest first."},
    )
    decisions = fields.List(
        fields.Nested(DecisionSchema),
        required=True,
        metadata={
            "description": "What was decided before the first attempt, and routing and retry decisions, oldest first."
        },
    )
    history = fields.List(
        fields.Nested(HistoryItemSchema),
        required=True,
        metadata={"description": "The payment's first 1000 events."},
    )
    frozen_at = time("When the audit froze the payment, because its row contradicts its events.", none=True)
    incidents = fields.List(fields.Nested(IncidentSummarySchema), required=True)
    decided_by_people = fields.List(
        fields.Nested(ByPersonSchema),
        required=True,
        metadata={"description": "Decisions that people made, newest first."},
    )
    exchanges = fields.List(
        fields.Nested(ExchangeSchema),
        metadata={
            "description": "What went out to gateways and came back, oldest first. For operators only."
        },
    )
