"""The JSON form of an attempt, which is one call to a gateway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegis_worker.domain.attempts import StoredOutcome
from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.exchanges import StoredExchange
from aegis_worker.queries.history import StoredAttempt

from .exchanges import exchange_body
from .values import rfc3339_or_none, rounded


def attempt_body(
    stored: StoredAttempt,
    exchanges: Sequence[StoredExchange] | None = None,
    *,
    for_operators: bool = False,
) -> dict[str, Any]:
    """An attempt: one call to one gateway, with everything known about its outcome.

    `exchanges`: the payment's, for operators; those of the attempt are told with it. None: nothing is told of them.
    """
    attempt = stored.attempt
    told: dict[str, Any] = {}
    if exchanges is not None:
        told["exchanges"] = [exchange_body(one) for one in exchanges if one.is_of(attempt)]
    return {
        "object": "attempt",
        "payment_id": stored.payment_id,
        "operation": attempt.operation,
        "number": attempt.number,
        "gateway": attempt.gateway,
        "account": attempt.account,
        "status": attempt.status,
        "gateway_ref": attempt.gateway_ref,
        "outcome": _outcome(attempt.outcome, for_operators=for_operators or exchanges is not None),
        "decision": stored.decision,
        "sends": attempt.sends,
        "checks": attempt.checks,
        "not_found_count": attempt.not_found_count,
        "latency_ms": rounded(stored.latency_ms, 1),
        "sent_at": rfc3339(stored.sent_at),
        "answered_at": rfc3339_or_none(stored.answered_at),
        "last_checked_at": rfc3339_or_none(stored.last_checked_at),
        **told,
    }


def _outcome(outcome: StoredOutcome, *, for_operators: bool) -> dict[str, Any] | None:
    """What is stored of it; what error hooks asked for is for operators."""
    told = outcome.to_json()
    return {name: told[name] for name in told if for_operators or name != "wishes"} or None


def last_said(stored: StoredAttempt) -> dict[str, Any]:
    """The state of the latest call, and how often the gateway was asked about it."""
    attempt, at = stored.attempt, stored.last_checked_at or stored.answered_at
    return {
        "gateway": attempt.gateway,
        "operation": attempt.operation,
        "attempt": attempt.number,
        "status": attempt.status,
        "outcome": attempt.outcome.to_json() or None,
        "looked_up": attempt.checks,
        "not_found": attempt.not_found_count,
        "at": rfc3339_or_none(at),
    }
