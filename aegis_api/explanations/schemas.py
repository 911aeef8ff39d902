"""The answer of the explanation routes."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, one_of, text, time, whole
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.review.case import KINDS


class IncidentSummarySchema(Answer):
    """Something that the audit found wrong and that is not put right yet."""

    id = text()
    invariant = text()
    summary = text()
    found_at = time()


class CertaintySchema(Answer):
    """Whether the outcome of the last charge is known, and by what."""

    value = one_of("known", "unknown")
    because = text()


class NextSchema(Answer):
    """What happens next, by whom and when."""

    what = text()
    who = one_of("worker", "person", "payer", "merchant", "nobody")
    at = time("null: no time is set, or nothing happens.", none=True)
    resolutions = fields.List(
        fields.String(metadata={"enum": list(KINDS)}),
        required=True,
        metadata={"description": "What a person may decide now; empty where nobody is asked."},
    )


class EvidenceSchema(Answer):
    """One thing that was seen."""

    at = time()
    source = one_of("call", "answer", "look_up", "person")
    what = text()


class DecisionSchema(Answer):
    """One choice that was made, and on what."""

    at = time()
    kind = one_of("route", "retry")
    what = text()
    why = text()
    facts = an_object("What it was made on.")


class HistoryItemSchema(Answer):
    """An event in words."""

    seq = whole()
    at = time()
    type = one_of(*(kind.wire for kind in EventType))
    what = text()


class ByPersonSchema(Answer):
    """A person's decision; for operators the whole entry of the audit log."""

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
        fields.Nested(EvidenceSchema), required=True, metadata={"description": "Oldest first."}
    )
    decisions = fields.List(
        fields.Nested(DecisionSchema),
        required=True,
        metadata={"description": "Routing and retries, in their order."},
    )
    history = fields.List(
        fields.Nested(HistoryItemSchema), required=True, metadata={"description": "The first 1000 events."}
    )
    frozen_at = time("Its events don't lead to its row: nothing moves.", none=True)
    incidents = fields.List(fields.Nested(IncidentSummarySchema), required=True)
    decided_by_people = fields.List(
        fields.Nested(ByPersonSchema), required=True, metadata={"description": "Newest first."}
    )
