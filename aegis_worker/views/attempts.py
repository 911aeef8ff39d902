"""The JSON form of an attempt, which is one call to a gateway."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.history import StoredAttempt

from .values import rfc3339_or_none, rounded


def attempt_body(attempt: StoredAttempt) -> dict[str, Any]:
    """An attempt: one call to one gateway, and what is known of its outcome."""
    return {
        "object": "attempt",
        "payment_id": attempt.payment_id,
        "operation": attempt.operation,
        "number": attempt.number,
        "gateway": attempt.gateway,
        "status": attempt.status,
        "gateway_ref": attempt.gateway_ref,
        "outcome": attempt.outcome,
        "decision": attempt.decision,
        "sends": attempt.sends,
        "checks": attempt.checks,
        "not_found_count": attempt.not_found_count,
        "latency_ms": rounded(attempt.latency_ms, 1),
        "sent_at": rfc3339(attempt.sent_at),
        "answered_at": rfc3339_or_none(attempt.answered_at),
        "last_checked_at": rfc3339_or_none(attempt.last_checked_at),
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
        "at": rfc3339_or_none(at),
    }
