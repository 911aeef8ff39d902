"""Rows of `payments` as the aggregate that everybody decides on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.money import Money
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
