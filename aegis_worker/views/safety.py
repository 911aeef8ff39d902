"""The JSON forms of whether money is safe, and of what is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.doubts import Doubt
from aegis_worker.queries.safety import Safety, Sum
from aegis_worker.queries.sentences import of_attempt

from .payments import payment_body
from .values import rfc3339_or_none


def safety_body(safety: Safety) -> dict[str, Any]:
    """What is wrong, waits or is in doubt, in counts and in sums of each currency."""
    waiting = safety.waiting
    return {
        "object": "safety",
        "as_of": rfc3339(safety.as_of),
        "wrong": [
            {"invariant": invariant, "payments": payments} for invariant, payments in safety.wrong.items()
        ],
        "worst": safety.worst
        and {
            "payment_id": safety.worst.payment_id,
            "invariant": safety.worst.invariant,
            "summary": safety.worst.summary,
        },
        "for_people": {
            "payments": safety.people_have,
            "oldest_age_s": round(max(waiting.reviews_oldest_age_s.values(), default=0.0), 3),
            "sums": _sums(safety.for_people),
        },
        "in_doubt": {"payments": safety.doubts, "sums": _sums(safety.in_doubt)},
        "disputes_to_answer": waiting.disputes,
        "audited_at": rfc3339_or_none(safety.audited_at),
        "compared_at": rfc3339_or_none(safety.compared_at),
    }


def _sums(sums: Sequence[Sum]) -> list[dict[str, Any]]:
    return [{"currency": each.currency, "payments": each.payments, "minor": each.minor} for each in sums]


def doubt_body(doubt: Doubt) -> dict[str, Any]:
    """A payment in doubt, the call that may or may not have happened, and when the gateway is asked next."""
    stored, call = doubt.stored, doubt.call
    return {
        "object": "doubt",
        "payment_id": stored.payment.id,
        "merchant_id": stored.payment.merchant_id,
        "gateway": call and call.gateway,
        "what": call and of_attempt(call),
        "since": rfc3339_or_none(doubt.since),
        "checks": call.checks if call else 0,
        "next_at": rfc3339_or_none(doubt.next_at),
        "payment": payment_body(stored.payment, stored.created_at, stored.updated_at),
    }
