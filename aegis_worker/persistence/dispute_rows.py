"""Rows of `disputes`: what gateways said of them, written in one transaction with the payment's move and its events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from aegis_worker.domain.dispute_statuses import UNDECIDED, DisputeStatus
from aegis_worker.domain.disputes import Dispute, DisputedCharge, DisputeReport, KnownDispute
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Event, Payment

from .mapping import payment_from_row
from .tables.entities import disputes
from .tables.payments import payments

# A worker that is about to write the payment finds it moved, and puts its change on top (`domain.changes.rebased`).
_MOVE = """
WITH moved AS (
    UPDATE payments SET version = %(version)s, disputed_minor = %(disputed_minor)s,
        charged_back_minor = %(charged_back_minor)s, updated_at = clock_timestamp()
    WHERE id = %(payment_id)s
    RETURNING id, merchant_id
), new AS (
    SELECT id, merchant_id, e.* FROM moved CROSS JOIN json_to_recordset(%(events)s::json) AS e(
        seq int, type text, data jsonb)
), told AS (
    INSERT INTO payment_events (payment_id, seq, type, data) SELECT id, seq, type, data FROM new
)
INSERT INTO outbox (payment_id, seq, merchant_id) SELECT id, seq, merchant_id FROM new
"""


_CLAIM_DUE = """
UPDATE disputes d SET check_at = statement_timestamp() + %(again_after)s
FROM (SELECT id FROM disputes WHERE check_at <= statement_timestamp()
      ORDER BY check_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) due
WHERE d.id = due.id
RETURNING d.gateway_ref AS dispute_ref, d.charge_ref, d.gateway, d.account, d.payment_id, d.mode
"""


def clock(connection: Connection) -> datetime:
    """PostgreSQL's clock, by which look-ups of disputes are put in order."""
    return cast("datetime", connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one())


def claim_due(connection: Connection, *, limit: int, again_after: timedelta) -> list[DisputedCharge]:
    """Disputes that are due to be asked about again. Each is due anew after `again_after`, whatever comes of it."""
    rows = connection.exec_driver_sql(_CLAIM_DUE, {"limit": limit, "again_after": again_after}).mappings()
    return [DisputedCharge(**row) for row in rows]


def locked_payment(connection: Connection, payment_id: str) -> Payment | None:
    """The payment, which nobody else moves until the end of the transaction. None for one that is frozen."""
    statement = select(payments).where(payments.c.id == payment_id, payments.c.frozen_at.is_(None))
    row = connection.execute(statement.with_for_update()).mappings().one_or_none()
    return None if row is None else payment_from_row(cast("Mapping[str, Any]", row))


def known_dispute(connection: Connection, gateway: str, gateway_ref: str) -> KnownDispute | None:
    """The dispute, by the gateway's own id of it."""
    statement = select(disputes).where(disputes.c.gateway == gateway, disputes.c.gateway_ref == gateway_ref)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else KnownDispute(dispute_from_row(dict(row)), row["asked_at"])


def write_dispute(
    connection: Connection,
    dispute: Dispute,
    payment: Payment,
    *,
    account: str | None,
    asked_at: datetime,
    check_at: datetime | None,
    has_news: bool,
) -> None:
    """Write how the dispute stands. One that its gateway has yet to decide is asked about again at `check_at`."""
    shown = dispute.shown
    row = {
        "id": dispute.id,
        "payment_id": payment.id,
        "merchant_id": payment.merchant_id,
        "mode": payment.mode,
        "gateway": dispute.gateway,
        "account": account,
        "gateway_ref": shown.gateway_ref,
        "charge_ref": shown.charge_ref,
        "own_charge": dispute.own_charge,
    }
    stands = {
        "amount_minor": shown.amount.minor,
        "currency": shown.amount.currency,
        "status": dispute.status,
        "gateway_status": shown.gateway_status,
        "reason": shown.reason,
        "gateway_reason": shown.gateway_reason,
        "respond_by": shown.respond_by,
        "asked_at": asked_at,
        "check_at": check_at if dispute.status in UNDECIDED else None,
    }
    new = insert(disputes).values(**row, **stands)
    updated = {"updated_at": func.clock_timestamp()} if has_news else {}
    connection.execute(
        new.on_conflict_do_update(constraint="disputes_of_gateway", set_={**stands, **updated})
    )


def write_move(connection: Connection, payment: Payment, events: Sequence[Event]) -> None:
    """Write the payment as it is after the events, with them and their outbox rows."""
    rows = [{"seq": event.seq, "type": event.type, "data": dict(event.data)} for event in events]
    names = {
        "payment_id": payment.id,
        "version": payment.version,
        "disputed_minor": payment.disputed_minor,
        "charged_back_minor": payment.charged_back_minor,
        "events": json.dumps(rows),
    }
    connection.exec_driver_sql(_MOVE, names)


def dispute_from_row(row: Mapping[str, Any]) -> Dispute:
    """The dispute from a row of its table."""
    shown = DisputeReport(
        gateway_ref=row["gateway_ref"],
        charge_ref=row["charge_ref"],
        amount=Money(row["amount_minor"], row["currency"]),
        status=DisputeStatus(row["status"]),
        gateway_status=row["gateway_status"],
        reason=row["reason"],
        gateway_reason=row["gateway_reason"],
        respond_by=row["respond_by"],
    )
    return Dispute(
        id=row["id"],
        payment_id=row["payment_id"],
        gateway=row["gateway"],
        own_charge=row["own_charge"],
        status=DisputeStatus(row["status"]),
        shown=shown,
    )
