"""The JSON form of a payment that waits for a person."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.entities import order_in
from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.reviews import Waiting
from aegis_worker.review.case import resolutions_of

from .attempts import attempt_body, last_said
from .decisions import decision_body
from .incidents import incident_summary
from .jobs import job_body
from .payments import payment_body
from .screening import screening_body
from .values import rfc3339_or_none


def review_body(waiting: Waiting) -> dict[str, Any]:
    """A payment that waits for a person, with the evidence and the decisions that may be made."""
    stored, attempts = waiting.stored, waiting.attempts
    return {
        "object": "review",
        "payment_id": stored.payment.id,
        "merchant_id": stored.payment.merchant_id,
        "kind": waiting.kind,
        "since": rfc3339(waiting.since),
        "reason": waiting.reason,
        "frozen_at": rfc3339_or_none(waiting.frozen_at),
        "resolutions": list(
            resolutions_of(
                frozen=waiting.frozen_at is not None,
                in_review=waiting.in_review,
                was_charged=waiting.was_charged,
                decided=waiting.decision is not None and waiting.decision.stands,
                order=order_in(waiting.job.request) if waiting.job else None,
                review_kind=waiting.kind,
            )
        ),
        "screening": screening_body(stored.payment),
        "security_code_until": rfc3339_or_none(waiting.security_code_until),
        "decision": decision_body(waiting.decision),
        "last_said": last_said(attempts[-1]) if attempts else None,
        "payment": payment_body(stored.payment, stored.created_at, stored.updated_at),
        "job": waiting.job and job_body(waiting.job),
        "attempts": [attempt_body(attempt, for_operators=True) for attempt in attempts],
        "incidents": [incident_summary(incident) for incident in waiting.incidents],
    }
