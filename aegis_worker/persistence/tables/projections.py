"""Read models of payments: what changed and is to be taken in, facts by payment, summaries by hour, and their totals."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from .columns import NOW, TIME, metadata

# What a payment is counted under.
KEYS = ("merchant_id", "mode", "hour", "gateway", "method", "currency", "experiment", "arm", "state")
# What is summed.
SUMS = ("amount_minor", "captured_minor", "refunded_minor", "charged_back_minor")

# Payments that have changed and are to be taken in, as each batch of events told of them.
projection_notes = Table(
    "projection_notes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("payment_ids", ARRAY(Text), nullable=False),
    Column("changes", Integer, nullable=False),
    Column("told_at", TIME, nullable=False, server_default=NOW),
)

# The same, a row for each payment, as older code notes it.
projection_changes = Table(
    "projection_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("payment_id", Text, nullable=False),
    Column("told_at", TIME, nullable=False, server_default=NOW),
)

payment_facts = Table(
    "payment_facts",
    metadata,
    Column("payment_id", Text, primary_key=True),
    *(Column(name, TIME if name == "hour" else Text, nullable=False) for name in KEYS),
    *(Column(name, BigInteger, nullable=False) for name in SUMS),
    Column("error_code", Text),
    Column("last4", Text),
    Column("customer_id", Text),
    Column("metadata", JSONB),
    Index(
        "payment_facts_by_customer",
        "merchant_id",
        "mode",
        "customer_id",
        "payment_id",
        postgresql_where=text("customer_id IS NOT NULL"),
    ),
    Index("payment_facts_by_last4", "last4", "payment_id", postgresql_where=text("last4 IS NOT NULL")),
    Index(
        "payment_facts_by_error", "error_code", "payment_id", postgresql_where=text("error_code IS NOT NULL")
    ),
    Index(
        "payment_facts_by_metadata",
        "metadata",
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
        postgresql_where=text("metadata IS NOT NULL"),
    ),
)

payment_summaries = Table(
    "payment_summaries",
    metadata,
    *(Column(name, TIME if name == "hour" else Text, primary_key=True) for name in KEYS),
    Column("payments", BigInteger, nullable=False),
    *(Column(name, Numeric, nullable=False) for name in SUMS),
)

# Of the hour or the day that begins `at`, of all merchants ('') or of one. Triggers of the summaries keep them. 64 bits
# hold 92 million of the largest payments in a day of one gateway, and PostgreSQL adds them up faster than NUMERIC.
payment_totals = Table(
    "payment_totals",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("merchant_id", Text, primary_key=True),
    Column("at", TIME, primary_key=True),
    *(Column(name, Text, primary_key=True) for name in KEYS if name not in {"merchant_id", "hour"}),
    Column("payments", BigInteger, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in SUMS),
    CheckConstraint("kind IN ('hour', 'day', 'merchant_day')", name="kind_known"),
    Index("payment_totals_by_time", "at", postgresql_where=text("kind = 'merchant_day'")),
)

projection_rebuilds = Table(
    "projection_rebuilds",
    metadata,
    Column("name", Text, primary_key=True),
    Column("done_to", Text),
    Column("begun_at", TIME, nullable=False, server_default=NOW),
    Column("finished_at", TIME),
)
