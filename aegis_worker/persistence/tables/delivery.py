"""Events on their way to sinks, and the webhook endpoints of merchants."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from .columns import NOW, TIME, metadata, mode_column, one_of

outbox = Table(
    "outbox",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("merchant_id", Text, nullable=False),
    Column("due_at", TIME, nullable=False, server_default=NOW),
    Column("leased", Boolean, nullable=False, server_default=text("false")),
    Column("lease_epoch", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("fanned_out", Boolean, nullable=False, server_default=text("false")),
    Column("last_error", Text),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Index("outbox_due", "due_at"),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("merchant_id", Text, nullable=False),
    mode_column(),
    Column("url", Text, nullable=False),
    Column("event_types", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("secret_version", Integer, nullable=False, server_default="1"),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("resting_until", TIME),
    Column("disabled_at", TIME),
    Index("webhook_endpoints_active", "merchant_id", postgresql_where=text("disabled_at IS NULL")),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Text, nullable=False),
    Column("payment_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("endpoint_id", Text, primary_key=True),
    Column("merchant_id", Text, nullable=False),
    mode_column(),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("due_at", TIME, nullable=False, server_default=NOW),
    Column("leased", Boolean, nullable=False, server_default=text("false")),
    Column("lease_epoch", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("log", JSONB, nullable=False, server_default=text("'[]'")),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("delivered_at", TIME),
    CheckConstraint(one_of("status", "pending", "delivered", "dead", "cancelled"), name="status_known"),
    Index("webhook_deliveries_cancelled", "id", postgresql_where=text("status = 'cancelled'")),
    Index("webhook_deliveries_dead", "id", postgresql_where=text("status = 'dead'")),
    Index("webhook_deliveries_due", "endpoint_id", "due_at", postgresql_where=text("status = 'pending'")),
    Index("webhook_deliveries_ended", "created_at", postgresql_where=text("status <> 'pending'")),
    Index("webhook_deliveries_by_merchant", "merchant_id", "mode", "id", unique=True),
)

# What hooks are still to be told. What a hook took is deleted.
hook_deliveries = Table(
    "hook_deliveries",
    metadata,
    Column("hook", Text, primary_key=True),
    Column("point", Text, primary_key=True),
    Column("payment_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("due_at", TIME, nullable=False, server_default=NOW),
    Column("lease_epoch", Integer, nullable=False, server_default="0"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    CheckConstraint(one_of("status", "pending", "dead"), name="status_known"),
    CheckConstraint("length(last_error) <= 200", name="error_is_bounded"),
    Index("hook_deliveries_due", "hook", "point", "due_at", postgresql_where=text("status = 'pending'")),
    Index("hook_deliveries_dead", "hook", "point", "created_at", postgresql_where=text("status = 'dead'")),
    Index("hook_deliveries_by_age", "created_at"),
)
