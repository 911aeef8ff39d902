"""The tables of captures, voids and refunds.

Their rows are kept for good, and with them the keys that they were ordered under: an order that is repeated after weeks is
found again.
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

from aegis_worker.domain.entities import EntityKind, EntityStatus

from .columns import NOW, TIME, metadata, one_of


def _entities(name: str, *more: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Text, primary_key=True),
        Column("payment_id", Text, nullable=False),
        Column("merchant_id", Text, nullable=False),
        Column("mode", Text, nullable=False),
        Column("number", Integer, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        *more,
        Column("status", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("request_hmac", LargeBinary, nullable=False),
        Column("gateway", Text),
        Column("gateway_ref", Text),
        Column("error", JSONB),
        Column("check_at", TIME),
        Column("created_at", TIME, nullable=False, server_default=NOW),
        Column("updated_at", TIME, nullable=False, server_default=NOW),
        UniqueConstraint("payment_id", "key", name=f"{name}_key_of_payment"),
        UniqueConstraint("payment_id", "number", name=f"{name}_number_of_payment"),
        CheckConstraint(one_of("status", *EntityStatus), name="status_known"),
        CheckConstraint("amount_minor BETWEEN 1 AND 99999999999", name="amount_in_range"),
        Index(f"{name}_by_merchant", "merchant_id", "mode", "id"),
        Index(f"{name}_to_check", "check_at", postgresql_where=text("check_at IS NOT NULL")),
    )


captures = _entities("captures", Column("final", Boolean, nullable=False))
refunds = _entities("refunds")
voids = _entities("voids")

TABLE_OF: Mapping[EntityKind, Table] = {
    EntityKind.CAPTURE: captures,
    EntityKind.VOID: voids,
    EntityKind.REFUND: refunds,
}
