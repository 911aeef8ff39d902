"""The tables, for statements and for the check that migrations and code agree.

No foreign keys on the hot child tables (events, jobs, attempts, outbox): their rows are written in the same statement as
the payment's, and the keys would cost much of the drain. Triggers that protect them stand in the
migrations, the tables of oversight in `oversight_tables`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.modes import MODES
from aegis_worker.domain.transitions import State

from . import terms

metadata = MetaData()

TIME = TIMESTAMP(timezone=True)
NOW = text("clock_timestamp()")


def one_of(column: str, *values: str) -> str:
    """The condition that a column holds one of the values, for a CHECK."""
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


# The database checks only the form of an operation's name; pipeline/operations alone knows which operations there are.
OPERATION_IS_A_NAME = "operation ~ '^[a-z][a-z_]{0,31}$'"


# What says nothing of its mode is for test: then no real money moves.
def mode_column(**more: Any) -> Column[str]:
    """Live or test."""
    return Column("mode", Text, nullable=False, server_default="test", **more)


# Jobs that a worker may have to work on: neither ended nor waiting for a person.
ACTIVE_JOB = text("finished_at IS NULL AND NOT in_review")

payments = Table(
    "payments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("merchant_id", Text, nullable=False),
    mode_column(),
    *terms.columns(),
    Column("has_payer", Boolean, nullable=False, server_default="false"),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("authorized_minor", BigInteger, nullable=False, server_default="0"),
    Column("captured_minor", BigInteger, nullable=False, server_default="0"),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("capturing_minor", BigInteger, nullable=False, server_default="0"),
    Column("refunding_minor", BigInteger, nullable=False, server_default="0"),
    Column("closing", Boolean, nullable=False, server_default=text("false")),
    Column("gateway", Text),
    Column("gateway_ref", Text),
    Column("certainty", Text, nullable=False, server_default="known"),
    Column("last_error", JSONB),
    Column("next_action", JSONB),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("updated_at", TIME, nullable=False, server_default=NOW),
    Column("frozen_at", TIME),
    # For indexes only, which must not name `state`: it changes all the time.
    Column(
        "reference_freed_by",
        Text,
        Computed("CASE WHEN state IN ('FAILURE', 'CANCELLED') THEN id END", persisted=True),
    ),
    # Tells payments apart that shared a reference (in normal form) before references had to differ. See migration 0010.
    Column("reference_twin", Integer),
    Column(
        "unfinished",
        Boolean,
        Computed("state NOT IN ('SUCCESS', 'FAILURE', 'CANCELLED')", persisted=True),
        nullable=False,
    ),
    CheckConstraint("amount_minor BETWEEN 1 AND 99999999999", name="amount_in_range"),
    CheckConstraint(
        "least(authorized_minor, captured_minor, refunded_minor, capturing_minor, refunding_minor) >= 0",
        name="amounts_not_negative",
    ),
    CheckConstraint(one_of("mode", *MODES), name="mode_known"),
    CheckConstraint(one_of("state", *State), name="state_known"),
    CheckConstraint(one_of("certainty", "known", "unknown"), name="certainty_known"),
    CheckConstraint(one_of("capture_method", "automatic", "manual"), name="capture_method_known"),
    CheckConstraint("version >= 1", name="version_positive"),
    Index("payments_by_merchant", "merchant_id", "mode", "id"),
    Index(
        "payments_by_customer",
        "merchant_id",
        "customer_id",
        "id",
        postgresql_where=text("customer_id IS NOT NULL"),
    ),
    Index("payments_unfinished", "merchant_id", "id", postgresql_where=text("unfinished")),
    Index("payments_in_doubt", "merchant_id", "id", postgresql_where=text("certainty = 'unknown'")),
    Index("payments_frozen", "id", postgresql_where=text("frozen_at IS NOT NULL")),
    Index(
        "payments_live_reference",
        "merchant_id",
        text("aegis_same_name(reference)"),
        "mode",
        "reference_freed_by",
        "reference_twin",
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=text("reference IS NOT NULL"),
    ),
)

payment_events = Table(
    "payment_events",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("at", TIME, nullable=False, server_default=NOW),
    CheckConstraint("seq >= 1", name="seq_positive"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("payment_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    mode_column(),
    Column("operation", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("run_at", TIME, nullable=False, server_default=NOW),
    Column("lease_epoch", Integer, nullable=False, server_default="0"),
    Column("lease_until", TIME),
    Column("claimed_by", Text),
    Column("claim_count", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    Column("result", JSONB),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("updated_at", TIME, nullable=False, server_default=NOW),
    Column("finished_at", TIME),
    Column("request", JSONB),
    Column("last_change", BigInteger),
    Column("begun_epoch", Integer),
    # For indexes only, which must not name `status`: it changes all the time.
    Column("in_review", Boolean, Computed("status = 'review'", persisted=True), nullable=False),
    CheckConstraint(OPERATION_IS_A_NAME, name="operation_is_a_name"),
    CheckConstraint(one_of("queue", "payments", "verify"), name="queue_known"),
    CheckConstraint(
        one_of("status", "queued", "running", "waiting", "succeeded", "failed", "review"),
        name="status_known",
    ),
    CheckConstraint("(status = 'running') = (lease_until IS NOT NULL)", name="running_has_lease"),
    CheckConstraint("(status IN ('succeeded', 'failed')) = (finished_at IS NOT NULL)", name="ended_has_time"),
    Index(
        "jobs_one_open_per_payment",
        "payment_id",
        "finished_at",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("jobs_due", "queue", "run_at", postgresql_where=ACTIVE_JOB),
    Index("jobs_due_by_merchant", "queue", "merchant_id", "run_at", postgresql_where=ACTIVE_JOB),
    Index("jobs_by_merchant", "merchant_id", "mode", "id"),
    Index("jobs_in_review", "payment_id", postgresql_where=text("in_review")),
)

attempts = Table(
    "attempts",
    metadata,
    Column("payment_id", Text, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("gateway", Text, nullable=False),
    Column("account", Text),
    Column("gateway_key", Text, nullable=False),
    Column("request_hash", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("gateway_ref", Text),
    Column("outcome", JSONB),
    Column("decision", JSONB),
    Column("lease_epoch", Integer, nullable=False),
    Column("sends", Integer, nullable=False, server_default="1"),
    Column("checks", Integer, nullable=False, server_default="0"),
    Column("not_found_count", Integer, nullable=False, server_default="0"),
    Column("latency_ms", Double),
    Column("sent_at", TIME, nullable=False, server_default=NOW),
    Column("answered_at", TIME),
    Column("first_not_found_at", TIME),
    Column("last_checked_at", TIME),
    Column("recheck_at", TIME),
    Column("rechecks", Integer, nullable=False, server_default="0"),
    CheckConstraint(OPERATION_IS_A_NAME, name="operation_is_a_name"),
    CheckConstraint(one_of("status", *AttemptStatus), name="status_known"),
    CheckConstraint("number >= 1", name="number_positive"),
    Index("attempts_to_recheck", "recheck_at", postgresql_where=text("recheck_at IS NOT NULL")),
)

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

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("merchant_id", Text, primary_key=True),
    mode_column(primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hmac", LargeBinary, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Index("idempotency_keys_by_age", "created_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("merchant_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("revoked_at", TIME),
    Column("role", Text, nullable=False, server_default="merchant"),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    CheckConstraint(one_of("role", "merchant", "operator"), name="role_known"),
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
    Index("webhook_deliveries_by_merchant", "merchant_id", "id", unique=True),
)

# It has no index but its key and is never updated, so that an entry costs the hot path only one row.
gateway_references = Table(
    "gateway_references",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("gateway_ref", Text, primary_key=True),
    Column("payment_id", Text, nullable=False),
)

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
