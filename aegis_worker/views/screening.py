"""The JSON forms of what hooks and rules said of a payment: all of it for operators, what holds for merchants."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.payment import Payment
from aegis_worker.domain.screening import screening_of


def screening_body(payment: Payment) -> dict[str, Any] | None:
    """For operators; None where the payment was not screened. `action` is what was found, whatever a person said since."""
    screening = screening_of(payment)
    if screening is None:
        return None
    return {
        "action": screening.found.value,
        "score": screening.score,
        "three_ds": screening.three_ds,
        "approved": screening.approved,
        "findings": [
            {
                "source": finding.source,
                "action": finding.action.value,
                "reason": finding.reason,
                "score": finding.score,
                "failed": finding.failed,
            }
            for finding in screening.findings
        ],
    }


def told_screening(payment: Payment) -> dict[str, Any] | None:
    """For merchants: which action holds, and whether a person approved the payment; None where it was not screened."""
    screening = screening_of(payment)
    return None if screening is None else {"action": screening.action.value, "approved": screening.approved}
