"""Rows of `payments` as `Payment`, the aggregate on which all decisions are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.payment import Payment
from aegis_worker.domain.transitions import State

from .terms import terms_from_row


def payment_from_row(row: Mapping[str, Any]) -> Payment:
    """The aggregate from a row of `payments`."""
    return Payment(
        id=row["id"],
        merchant_id=row["merchant_id"],
        terms=terms_from_row(row),
        mode=row["mode"],
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
