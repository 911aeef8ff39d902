"""The tables of captures, voids, refunds and disputes.

Their rows are kept for good, and with them the keys that they were ordered under: an order that is repeated after weeks is
found again. What was asked for at the gateway itself (`origin`) has neither key nor number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.entities import EntityKind, EntityStatus
from aegis_worker.persistence import trails

from .columns import NOW, TIME, metadata, one_of


def _entities(name: str, *more: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Text, primary_key=True),
        Column("payment_id", Text, nullable=False),
        Column("merchant_id", Text, nullable=False),
        Column("mode", Text, nullable=False),
        Column("origin", Text, nullable=False, server_default="merchant"),
        Column("number", Integer),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        *more,
        Column("status", Text, nullable=False),
        Column("key", Text),
        Column("request_hmac", LargeBinary),
        Column("gateway", Text),
        Column("gateway_ref", Text),
        Column("error", JSONB),
        Column("check_at", TIME),
        Column("created_at", TIME, nullable=False, server_default=NOW),
        Column("updated_at", TIME, nullable=False, server_default=NOW),
        *trails.columns(),
        UniqueConstraint("payment_id", "key", name=f"{name}_key_of_payment"),
        UniqueConstraint("payment_id", "number", name=f"{name}_number_of_payment"),
        CheckConstraint(one_of("status", *EntityStatus), name="status_known"),
        CheckConstraint(
            "(origin = 'merchant') = (num_nonnulls(number, key, request_hmac) = 3)"
            " AND origin IN ('merchant', 'gateway')",
            name="ordered_under_a_key",
        ),
        CheckConstraint("amount_minor BETWEEN 1 AND 99999999999", name="amount_in_range"),
        Index(
            f"{name}_found_once",
            "payment_id",
            "gateway_ref",
            unique=True,
            postgresql_where=text("origin = 'gateway'"),
        ),
        Index(f"{name}_by_merchant", "merchant_id", "mode", "id"),
        Index(
            f"{name}_not_succeeded",
            "merchant_id",
            "mode",
            "id",
            postgresql_where=text("status <> 'succeeded'"),
        ),
        Index(f"{name}_to_check", "check_at", postgresql_where=text("check_at IS NOT NULL")),
    )


captures = _entities("captures", Column("final", Boolean, nullable=False))
refunds = _entities("refunds", Column("forced", Boolean, nullable=False, server_default=text("false")))
voids = _entities("voids")

TABLE_OF: Mapping[EntityKind, Table] = {
    EntityKind.CAPTURE: captures,
    EntityKind.VOID: voids,
    EntityKind.REFUND: refunds,
}

# What gateways report is written whatever it says, so nothing bounds the amounts. `asked_at`: when the gateway was asked
# for what the row says. `check_at`: when it is asked again, of those that it has yet to decide.
disputes = Table(
    "disputes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("payment_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("account", Text),
    Column("gateway_ref", Text, nullable=False),
    Column("charge_ref", Text, nullable=False),
    Column("own_charge", Boolean, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("gateway_status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("gateway_reason", Text),
    Column("respond_by", TIME),
    Column("asked_at", TIME, nullable=False),
    Column("check_at", TIME),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("updated_at", TIME, nullable=False, server_default=NOW),
    UniqueConstraint("gateway", "gateway_ref", name="disputes_of_gateway"),
    CheckConstraint(one_of("status", *DisputeStatus), name="status_known"),
    Index("disputes_by_merchant", "merchant_id", "mode", "id"),
    Index("disputes_by_payment", "payment_id"),
    Index("disputes_by_status", "merchant_id", "mode", "status", "id"),
    Index(
        "disputes_to_answer", "respond_by", postgresql_where=text("status IN ('warning', 'needs_response')")
    ),
    Index("disputes_to_check", "check_at", postgresql_where=text("check_at IS NOT NULL")),
)
