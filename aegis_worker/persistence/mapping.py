"""Rows of `payments` as `Payment`, the aggregate on which all decisions are made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

from sqlalchemy import Connection, select

from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.transitions import State

from .tables.payments import payments
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
        capturing_minor=row["capturing_minor"],
        refunding_minor=row["refunding_minor"],
        closing=row["closing"],
        cancelling=row["cancelling"],
        capture_before=None if row["capture_before"] is None else rfc3339(row["capture_before"]),
        disputed_minor=row["disputed_minor"],
        charged_back_minor=row["charged_back_minor"],
        gateway=row["gateway"],
        gateway_ref=row["gateway_ref"],
        certainty=row["certainty"],
        last_error=row["last_error"],
        next_action=row["next_action"],
        screening=row["screening"],
    )


def payments_now(connection: Connection, payment_ids: Collection[str]) -> dict[str, Payment]:
    """The payments as they stand, by id."""
    rows = connection.execute(select(payments).where(payments.c.id.in_(payment_ids))).mappings()
    return {row["id"]: payment_from_row(cast("Mapping[str, Any]", row)) for row in rows}
