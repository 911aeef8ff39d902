"""Oversight: incidents, audit log, decisions, events and exchanges of gateways, snapshots, routing, rules."""

from __future__ import annotations

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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from aegis_worker.domain.gateway_events import STATUSES

from .columns import NOW, TIME, metadata, one_of

INVARIANTS = ("I1", "I2", "I3", "I4", "I5", "I6", "I7")

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("invariant", Text, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("looked", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("found_at", TIME, nullable=False, server_default=NOW),
    Column("last_seen_at", TIME, nullable=False, server_default=NOW),
    Column("resolved_at", TIME),
    CheckConstraint(one_of("invariant", *INVARIANTS), name="invariant_known"),
    CheckConstraint(one_of("looked", "payments", "keys", "gateways"), name="looked_known"),
    Index(
        "incidents_open",
        "payment_id",
        "invariant",
        "looked",
        unique=True,
        postgresql_where=text("resolved_at IS NULL"),
    ),
)

audit_cursors = Table(
    "audit_cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Text, nullable=False),
    Column("rounds", Integer, nullable=False, server_default="0"),
    Column("updated_at", TIME, nullable=False, server_default=NOW),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", TIME, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("payment_id", Text),
    Column("details", JSONB, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("seq >= 1", name="seq_positive"),
    Index("audit_log_by_payment", "payment_id", "seq"),
)

# A payment has one decision at a time. The audit log says what became of earlier ones.
decisions = Table(
    "decisions",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("resolution", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("gateway", Text),
    Column("gateway_ref", Text),
    Column("attempt", Integer),
    Column("sends", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("made_at", TIME, nullable=False, server_default=NOW),
    Column("takes_effect_at", TIME, nullable=False),
    Column("look_at", TIME, nullable=False),
    Column("refused_at", TIME),
    Column("refused_because", Text),
    CheckConstraint(
        one_of("resolution", "charged", "not_charged", "succeeded", "failed"), name="resolution_known"
    ),
    CheckConstraint("(refused_at IS NULL) = (refused_because IS NULL)", name="refused_has_reason"),
    Index("decisions_due", "look_at", postgresql_where=text("refused_at IS NULL")),
)

gateway_events = Table(
    "gateway_events",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("provider_event_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("reference", Text),
    Column("payment_id", Text),
    Column("received_at", TIME, nullable=False, server_default=NOW),
    Column("account", Text),
    Column("gateway_ref", Text),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("status", Text, nullable=False, server_default="followed"),
    Column("reason", Text),
    Column("due_at", TIME),
    Column("waits_until", TIME),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("body_id", Text),
    Column("dispute_ref", Text),
    Column("keep_until", TIME, nullable=False, server_default=text("(now() + '30 days'::interval)")),
    CheckConstraint(one_of("status", *STATUSES), name="status_known"),
    CheckConstraint("(status = 'waiting') = (due_at IS NOT NULL)", name="waiting_is_due"),
    Index("gateway_events_by_age", "received_at"),
    Index("gateway_events_by_payment", "payment_id", postgresql_where=text("payment_id IS NOT NULL")),
    Index("gateway_events_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("gateway_events_kept", "keep_until"),
    Index("gateway_events_of_dispute", "dispute_ref", postgresql_where=text("dispute_ref IS NOT NULL")),
    Index("gateway_events_unmatched", "received_at", postgresql_where=text("status = 'unmatched'")),
)

# One body may hold several events. Sealed, because it may hold personal data and a payment's secrets.
gateway_event_bodies = Table(
    "gateway_event_bodies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("received_at", TIME, nullable=False, server_default=NOW),
    Index("gateway_event_bodies_by_age", "received_at"),
)

# Anybody may have sent them. Sealed as bodies of events are.
unverified_webhooks = Table(
    "unverified_webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("received_at", TIME, nullable=False, server_default=NOW),
    Column("due_at", TIME, nullable=False, server_default=NOW),
    Index("unverified_webhooks_due", "due_at"),
    Index("unverified_webhooks_of_gateway", "gateway"),
)

# `told` is the JSON of a `domain.exchanges.Exchange`: as text, because nothing in PostgreSQL looks into it.
exchanges = Table(
    "exchanges",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("operation", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", TIME, nullable=False),
    Column("told", Text, nullable=False),
    CheckConstraint("octet_length(told) <= 12288", name="told_is_bounded"),
    Index("exchanges_by_age", "at"),
)

payment_snapshots = Table(
    "payment_snapshots",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("state", JSONB, nullable=False),
    Column("at", TIME, nullable=False),
)

# A version without a document means that config/routing.toml holds again.
routing_versions = Table(
    "routing_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", JSONB),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    CheckConstraint("version >= 1", name="version_positive"),
)

rules_versions = Table(
    "rules_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", JSONB),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    CheckConstraint("version >= 1", name="version_positive"),
)
gateway_pauses = Table(
    "gateway_pauses",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("paused_at", TIME, nullable=False, server_default=NOW),
)

schema_compatibility = Table(
    "schema_compatibility",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("oldest_code", Text, nullable=False),
)

reconciliation_runs = Table(
    "reconciliation_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("trigger", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("since", TIME),
    Column("found", JSONB, nullable=False, server_default=text("'{}'")),
    Column("fixed", JSONB, nullable=False, server_default=text("'{}'")),
    Column("mismatches", JSONB, nullable=False, server_default=text("'[]'")),
    Column("started_at", TIME, nullable=False, server_default=NOW),
    Column("finished_at", TIME),
    CheckConstraint(one_of("trigger", "beat", "operator"), name="trigger_known"),
)
