"""Payments and what is written with them: events, jobs, attempts, keys and references.

No foreign keys on the hot child tables (events, jobs, attempts, the outbox): their rows are written in the same statement
as the payment's, and the keys would cost much of the drain.
"""

from __future__ import annotations

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
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.modes import MODES
from aegis_worker.domain.transitions import State
from aegis_worker.persistence import terms, trails

from .columns import NOW, TIME, metadata, mode_column, one_of

# The database checks only the form of an operation's name; pipeline/operations alone knows which operations there are.
OPERATION_IS_A_NAME = "operation ~ '^[a-z][a-z_]{0,31}$'"

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
    Column("cancelling", Boolean, nullable=False, server_default=text("false")),
    Column("capture_before", TIME),
    # When the sweep looks after what is held; None where nothing is, or nobody knows how long.
    Column("hold_due_at", TIME),
    Column("disputed_minor", BigInteger, nullable=False, server_default="0"),
    Column("charged_back_minor", BigInteger, nullable=False, server_default="0"),
    Column("gateway", Text),
    Column("gateway_ref", Text),
    Column("certainty", Text, nullable=False, server_default="known"),
    Column("last_error", JSONB),
    Column("next_action", JSONB),
    Column("screening", JSONB),
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
    Index("payments_hold_due", "hold_due_at", postgresql_where=text("hold_due_at IS NOT NULL")),
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
    # Of a job in review; NULL: doubt, as older code leaves it.
    Column("review_kind", Text),
    *trails.columns(),
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

# It has no index but its key and is never updated, so that an entry costs the hot path only one row.
gateway_references = Table(
    "gateway_references",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("gateway_ref", Text, primary_key=True),
    Column("payment_id", Text, nullable=False),
)
