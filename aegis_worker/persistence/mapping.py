"""Rows of `payments` and `attempts` as the objects that the pipeline decides on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.transitions import State


def payment_from_row(row: Mapping[str, Any]) -> Payment:
    """The aggregate from a row of `payments`."""
    return Payment(
        id=row["id"],
        merchant_id=row["merchant_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        capture_method=row["capture_method"],
        payment_method=row["payment_method"],
        reference=row["reference"],
        customer=row["customer"],
        description=row["description"],
        return_url=row["return_url"],
        metadata=row["metadata"],
        state=State(row["state"]),
        version=row["version"],
        authorized_minor=row["authorized_minor"],
        captured_minor=row["captured_minor"],
        refunded_minor=row["refunded_minor"],
        gateway=row["gateway"],
        gateway_ref=row["gateway_ref"],
        certainty=row["certainty"],
        last_error=row["last_error"],
        next_action=row["next_action"],
    )


def attempt_from_json(row: Mapping[str, Any], asked_at_s: float, told_at_s: float) -> Attempt:
    """An attempt from the JSON object that the claim statement builds between the two readings of this process's clock.

    Its ages are brought onto that clock so that a key seems older than it is and an absence younger, never the other way.
    """
    not_found_age_s, answered_age_s = row["not_found_age_s"], row["answered_age_s"]
    return Attempt(
        operation=Operation(row["operation"]),
        number=row["number"],
        gateway=row["gateway"],
        gateway_key=row["gateway_key"],
        request_hash=row["request_hash"],
        status=row["status"],
        gateway_ref=row["gateway_ref"],
        outcome=row["outcome"],
        lease_epoch=row["lease_epoch"],
        sends=row["sends"],
        checks=row["checks"],
        not_found_count=row["not_found_count"],
        sent_at_s=asked_at_s - row["age_s"],
        first_not_found_at_s=None if not_found_age_s is None else told_at_s - not_found_age_s,
        candidates=tuple(row["candidates"] or ()),
        answered_at_s=None if answered_age_s is None else asked_at_s - answered_age_s,
    )
