"""What is known of payers, what they have to do and brought back, and how often their cards were declined."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from .columns import NOW, TIME, metadata

# What a payer has to do, sealed. A trigger removes it in the commit in which the payment leaves REQUIRES_ACTION.
action_secrets = Table(
    "action_secrets",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
)

# What payers brought back from an action. `sealed` is NULL once the gateway's answer to it is settled.
confirms = Table(
    "confirms",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    CheckConstraint("number BETWEEN 1 AND 20", name="number_in_range"),
    Index("confirms_open", "payment_id", postgresql_where=text("sealed IS NOT NULL")),
)

# What is known of who pays (design D17). Nothing but claims reads it.
payer_details = Table(
    "payer_details",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("details", JSONB, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Index("payer_details_by_age", "created_at"),
)

card_declines = Table(
    "card_declines",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("merchant_id", Text, nullable=False),
    Column("card_key", LargeBinary, nullable=False),
    Column("network", Text),
    Column("code", Text, nullable=False),
    Column("never_again", Boolean, nullable=False),
    Column("at", TIME, nullable=False, server_default=NOW),
    Index("card_declines_by_card", "card_key", "at"),
    Index("card_declines_by_age", "at"),
)
