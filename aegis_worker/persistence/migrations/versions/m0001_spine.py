"""The first tables: payments and their events, jobs, attempts, outbox, keys, webhooks, reconciliation runs."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
oldest_code = "0001"

# fillfactor leaves room on each page of the tables that are updated all the time.
TABLES = """
CREATE TABLE payments (
    id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    reference TEXT,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    capture_method TEXT DEFAULT 'automatic' NOT NULL,
    payment_method JSONB NOT NULL,
    customer_id TEXT,
    customer JSONB NOT NULL,
    description TEXT,
    return_url TEXT,
    metadata JSONB NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    authorized_minor BIGINT DEFAULT 0 NOT NULL,
    captured_minor BIGINT DEFAULT 0 NOT NULL,
    refunded_minor BIGINT DEFAULT 0 NOT NULL,
    gateway TEXT,
    gateway_ref TEXT,
    certainty TEXT DEFAULT 'known' NOT NULL,
    last_error JSONB,
    next_action JSONB,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT amount_in_range CHECK (amount_minor BETWEEN 1 AND 99999999999),
    CONSTRAINT amounts_ordered CHECK (
        0 <= refunded_minor AND refunded_minor <= captured_minor
        AND captured_minor <= authorized_minor AND authorized_minor <= amount_minor),
    CONSTRAINT state_known CHECK (
        state IN ('INITIATED', 'REQUIRES_ACTION', 'AUTHENTICATED', 'PROCESSING',
            'AUTHORIZED', 'SUCCESS', 'FAILURE', 'CANCELLED')
    ),
    CONSTRAINT certainty_known CHECK (certainty IN ('known', 'unknown')),
    CONSTRAINT capture_method_known CHECK (capture_method IN ('automatic', 'manual')),
    CONSTRAINT version_positive CHECK (version >= 1)
) WITH (fillfactor = 80);
CREATE INDEX payments_by_customer
    ON payments (merchant_id, customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX payments_by_merchant ON payments (merchant_id, id);
CREATE UNIQUE INDEX payments_live_reference
    ON payments (merchant_id, reference)
    WHERE reference IS NOT NULL AND state NOT IN ('FAILURE', 'CANCELLED');
CREATE INDEX payments_unfinished ON payments (id) WHERE state NOT IN ('SUCCESS', 'FAILURE', 'CANCELLED');

CREATE TABLE payment_events (
    payment_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    data JSONB NOT NULL,
    at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (payment_id, seq),
    CONSTRAINT seq_positive CHECK (seq >= 1)
);

CREATE TABLE jobs (
    id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    queue TEXT NOT NULL,
    status TEXT NOT NULL,
    run_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    lease_epoch INTEGER DEFAULT 0 NOT NULL,
    lease_until TIMESTAMPTZ,
    claimed_by TEXT,
    claim_count INTEGER DEFAULT 0 NOT NULL,
    reason TEXT,
    result JSONB,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    finished_at TIMESTAMPTZ,
    PRIMARY KEY (id),
    CONSTRAINT operation_known CHECK (operation IN ('process', 'capture', 'void', 'refund', 'sync')),
    CONSTRAINT queue_known CHECK (queue IN ('payments', 'verify')),
    CONSTRAINT status_known CHECK (
        status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'review')
    ),
    CONSTRAINT running_has_lease CHECK ((status = 'running') = (lease_until IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX jobs_by_merchant ON jobs (merchant_id, id);
CREATE INDEX jobs_by_payment ON jobs (payment_id);
CREATE INDEX jobs_due ON jobs (queue, run_at) WHERE status IN ('queued', 'waiting');
CREATE INDEX jobs_leased ON jobs (queue, lease_until) WHERE status = 'running';
CREATE UNIQUE INDEX jobs_one_open_per_payment
    ON jobs (payment_id) WHERE status IN ('queued', 'running', 'waiting', 'review');

CREATE TABLE attempts (
    payment_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    number INTEGER NOT NULL,
    gateway TEXT NOT NULL,
    gateway_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status TEXT NOT NULL,
    gateway_ref TEXT,
    outcome JSONB,
    decision JSONB,
    lease_epoch INTEGER NOT NULL,
    sends INTEGER DEFAULT '1' NOT NULL,
    checks INTEGER DEFAULT 0 NOT NULL,
    not_found_count INTEGER DEFAULT 0 NOT NULL,
    latency_ms DOUBLE PRECISION,
    sent_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    answered_at TIMESTAMPTZ,
    first_not_found_at TIMESTAMPTZ,
    last_checked_at TIMESTAMPTZ,
    PRIMARY KEY (payment_id, operation, number),
    CONSTRAINT operation_known CHECK (
        operation IN ('initiate', 'authenticate', 'process', 'capture', 'void', 'refund')
    ),
    CONSTRAINT status_known CHECK (
        status IN ('SENT', 'APPROVED', 'DECLINED', 'ACTION_REQUIRED', 'PENDING', 'NOT_SENT', 'UNKNOWN')
    ),
    CONSTRAINT number_positive CHECK (number >= 1)
) WITH (fillfactor = 80);

CREATE TABLE outbox (
    payment_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    merchant_id TEXT NOT NULL,
    due_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    leased BOOLEAN DEFAULT false NOT NULL,
    lease_epoch INTEGER DEFAULT 0 NOT NULL,
    tries INTEGER DEFAULT 0 NOT NULL,
    fanned_out BOOLEAN DEFAULT false NOT NULL,
    last_error TEXT,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (payment_id, seq)
) WITH (fillfactor = 80);
CREATE INDEX outbox_due ON outbox (due_at);

CREATE TABLE idempotency_keys (
    merchant_id TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hmac BYTEA NOT NULL,
    payment_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (merchant_id, route, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    label TEXT NOT NULL,
    key_hash BYTEA NOT NULL,
    hint TEXT NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    revoked_at TIMESTAMPTZ,
    PRIMARY KEY (id),
    UNIQUE (key_hash)
);

CREATE TABLE webhook_endpoints (
    id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    url TEXT NOT NULL,
    event_types TEXT[] DEFAULT '{}' NOT NULL,
    secret_version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    resting_until TIMESTAMPTZ,
    disabled_at TIMESTAMPTZ,
    PRIMARY KEY (id)
);
CREATE INDEX webhook_endpoints_active ON webhook_endpoints (merchant_id) WHERE disabled_at IS NULL;

CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    endpoint_id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    due_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    leased BOOLEAN DEFAULT false NOT NULL,
    lease_epoch INTEGER DEFAULT 0 NOT NULL,
    tries INTEGER DEFAULT 0 NOT NULL,
    log JSONB DEFAULT '[]' NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    delivered_at TIMESTAMPTZ,
    PRIMARY KEY (payment_id, seq, endpoint_id),
    CONSTRAINT status_known CHECK (status IN ('pending', 'delivered', 'dead'))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX webhook_deliveries_by_merchant ON webhook_deliveries (merchant_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE status = 'pending';

CREATE TABLE reconciliation_runs (
    id TEXT NOT NULL,
    trigger TEXT NOT NULL,
    dry_run BOOLEAN NOT NULL,
    since TIMESTAMPTZ,
    found JSONB DEFAULT '{}' NOT NULL,
    fixed JSONB DEFAULT '{}' NOT NULL,
    mismatches JSONB DEFAULT '[]' NOT NULL,
    started_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    finished_at TIMESTAMPTZ,
    PRIMARY KEY (id),
    CONSTRAINT trigger_known CHECK (trigger IN ('beat', 'operator'))
);
"""

# What no statement may undo, whoever writes it: history is append-only, the end is final, terms are fixed.
GUARDS = """
CREATE FUNCTION aegis_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER payment_events_append_only BEFORE UPDATE OR DELETE ON payment_events
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('events are append-only');
CREATE TRIGGER payment_events_no_truncate BEFORE TRUNCATE ON payment_events
    FOR EACH STATEMENT EXECUTE FUNCTION aegis_refuse('events are append-only');
REVOKE UPDATE, DELETE, TRUNCATE ON payment_events FROM PUBLIC;

CREATE TRIGGER payments_terminal_is_final BEFORE UPDATE ON payments
    FOR EACH ROW
    WHEN (OLD.state IN ('SUCCESS', 'FAILURE', 'CANCELLED') AND NEW.state IS DISTINCT FROM OLD.state)
    EXECUTE FUNCTION aegis_refuse('a terminal state is final');
CREATE TRIGGER payments_terms_are_fixed BEFORE UPDATE ON payments
    FOR EACH ROW WHEN (
        (NEW.id, NEW.merchant_id, NEW.amount_minor, NEW.currency, NEW.created_at)
            IS DISTINCT FROM (OLD.id, OLD.merchant_id, OLD.amount_minor, OLD.currency, OLD.created_at)
        OR NEW.version < OLD.version
    )
    EXECUTE FUNCTION aegis_refuse('id, merchant, amount and currency never change; the version never falls');
CREATE TRIGGER payments_are_kept BEFORE DELETE ON payments
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('payments are kept');
CREATE TRIGGER attempts_are_kept BEFORE DELETE ON attempts
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('attempts are kept');
"""


def upgrade() -> None:
    """Create the tables, and the triggers that keep history from being changed."""
    op.execute(TABLES)
    op.execute(GUARDS)


def downgrade() -> None:
    """Drop every table. All payments and their history are lost."""
    op.execute(
        "DROP TABLE payments, payment_events, jobs, attempts, outbox, idempotency_keys, api_keys,"
        " webhook_endpoints, webhook_deliveries, reconciliation_runs"
    )
    op.execute("DROP FUNCTION aegis_refuse()")
