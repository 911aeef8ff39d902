"""An attempt as its row tells it: an approved charge, except for what a test changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.outcomes import Operation


def an_attempt(
    operation: str = "process",
    *,
    status: str = "APPROVED",
    outcome: Mapping[str, Any] | None = None,
    number: int = 1,
    gateway: str = "a",
    gateway_ref: str | None = "ch_1",
    not_found_count: int = 0,
    **others: Any,
) -> Attempt:
    """`outcome`: as it would be stored in the table."""
    fields: dict[str, Any] = {
        "gateway_key": f"{gateway}-{operation}-{number}",
        "request_hash": "hash",
        "lease_epoch": 1,
        "sends": 1,
        "checks": 0,
        "sent_at_s": 0.0,
        "first_not_found_at_s": None,
    }
    return Attempt(
        operation=Operation(operation),
        number=number,
        gateway=gateway,
        status=AttemptStatus(status),
        gateway_ref=gateway_ref,
        outcome=StoredOutcome.from_json(outcome),
        not_found_count=not_found_count,
        **fields | others,
    )
