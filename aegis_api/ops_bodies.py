"""What the operators' routes show."""

from __future__ import annotations

from typing import Any

from aegis_worker.persistence.decisions import Decision
from aegis_worker.persistence.delivery_rows import WebhookLag
from aegis_worker.persistence.outbox_rows import Lag
from aegis_worker.queries.history import StoredAttempt
from aegis_worker.queries.reviews import Incident, Waiting
from aegis_worker.queries.stuck import StuckReport
from aegis_worker.review.case import resolutions_of
from aegis_worker.review.parts import Resolved

from .representations import attempt_body, job_body, moment, payment_body


def review_body(waiting: Waiting) -> dict[str, Any]:
    """A payment that waits for a person, with the evidence and what may be decided."""
    stored, attempts = waiting.stored, waiting.attempts
    return {
        "object": "review",
        "payment_id": stored.payment.id,
        "merchant_id": stored.payment.merchant_id,
        "since": moment(waiting.since),
        "reason": waiting.reason,
        "frozen_at": None if waiting.frozen_at is None else moment(waiting.frozen_at),
        "resolutions": list(
            resolutions_of(
                frozen=waiting.frozen_at is not None,
                in_review=waiting.in_review,
                was_charged=waiting.was_charged,
                decided=waiting.decision is not None and waiting.decision.stands,
            )
        ),
        "decision": decision_body(waiting.decision),
        "last_said": last_said(attempts[-1]) if attempts else None,
        "payment": payment_body(stored.payment, stored.created_at, stored.updated_at),
        "job": waiting.job and job_body(waiting.job),
        "attempts": [attempt_body(attempt) for attempt in attempts],
        "incidents": [incident_summary(incident) for incident in waiting.incidents],
    }


def decision_body(decision: Decision | None) -> dict[str, Any] | None:
    """What a person decided and no gateway has confirmed, or one contradicted; None where there is no such decision."""
    if decision is None:
        return None
    return {
        "id": decision.id,
        "status": "waiting" if decision.stands else "refused",
        "resolution": decision.resolution,
        "reason": decision.reason,
        "evidence": decision.evidence,
        "gateway": decision.gateway,
        "gateway_ref": decision.gateway_ref,
        "attempt": decision.attempt,
        "actor": decision.actor,
        "made_at": moment(decision.made_at),
        "takes_effect_at": moment(decision.takes_effect_at),
        "refused_at": None if decision.refused_at is None else moment(decision.refused_at),
        "refused_because": decision.refused_because,
    }


def last_said(attempt: StoredAttempt) -> dict[str, Any]:
    """What is known of the latest call, and how often it was asked about."""
    at = attempt.last_checked_at or attempt.answered_at
    return {
        "gateway": attempt.gateway,
        "operation": attempt.operation,
        "attempt": attempt.number,
        "status": attempt.status,
        "outcome": attempt.outcome,
        "looked_up": attempt.checks,
        "not_found": attempt.not_found_count,
        "at": None if at is None else moment(at),
    }


def incident_summary(incident: Incident) -> dict[str, Any]:
    """What the audit found."""
    return {
        "id": incident.id,
        "invariant": incident.invariant,
        "summary": incident.summary,
        "found_at": moment(incident.found_at),
    }


def resolved_body(resolution: str, resolved: Resolved) -> dict[str, Any]:
    """What came of a decision."""
    payment = resolved.payment
    return {
        "object": "resolution",
        "payment_id": payment.id,
        "job_id": resolved.job_id,
        "resolution": resolution,
        "checked": resolved.checked,
        "took_effect": resolved.took_effect,
        "decision": decision_body(resolved.decision),
        "gateways_say": [
            {"gateway": said.call.gateway, "attempt": said.call.number, "says": said.in_words}
            for said in resolved.says
        ],
        "state_changed": resolved.state_changed,
        "state": payment.state.value,
        "certainty": payment.certainty,
        "version": payment.version,
        "rebuilt": dict(resolved.rebuilt),
        "note": resolved.note,
    }


def outbox_body(stream: Lag, webhooks: WebhookLag) -> dict[str, Any]:
    """How far behind each sink is."""
    return {
        "object": "outbox",
        "stream": {**stream, "oldest_age_s": round(stream["oldest_age_s"], 3)},
        "webhooks": {**webhooks, "oldest_age_s": round(webhooks["oldest_age_s"], 3)},
    }


def stuck_body(report: StuckReport) -> dict[str, Any]:
    """What is overdue."""
    return {
        "object": "stuck",
        "as_of": moment(report.as_of),
        "data": [
            {
                "kind": stuck.kind,
                "id": stuck.id,
                "payment_id": stuck.payment_id,
                "merchant_id": stuck.merchant_id,
                "since": moment(stuck.since),
                "overdue_s": round(stuck.overdue_s, 1),
                "why": stuck.why,
                "what_to_do": stuck.what_to_do,
            }
            for stuck in report.found
        ],
        "more": list(report.more),
    }
