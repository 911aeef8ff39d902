"""What operators and the audit need: incidents, audit log, gateways' events, snapshots, frozen payments, operators' keys.

The new columns of attempts schedule a second look at gateways, which finds charges that appear late.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
oldest_code = "0001"

COLUMNS = """
ALTER TABLE payments ADD COLUMN frozen_at TIMESTAMPTZ;
ALTER TABLE jobs ADD COLUMN request JSONB, ADD COLUMN last_change BIGINT;
ALTER TABLE attempts ADD COLUMN recheck_at TIMESTAMPTZ, ADD COLUMN rechecks INTEGER DEFAULT 0 NOT NULL;
CREATE INDEX attempts_to_recheck ON attempts (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (id) WHERE status = 'dead';
CREATE INDEX jobs_in_review ON jobs (payment_id) WHERE status = 'review';
CREATE INDEX payments_frozen ON payments (id) WHERE frozen_at IS NOT NULL;
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (created_at) WHERE status <> 'pending';
ALTER TABLE api_keys ADD COLUMN role TEXT DEFAULT 'merchant' NOT NULL,
    ADD CONSTRAINT role_known CHECK (role IN ('merchant', 'operator'));
"""

TABLES = """
CREATE TABLE incidents (
    id TEXT NOT NULL,
    invariant TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    looked TEXT NOT NULL,
    summary TEXT NOT NULL,
    evidence JSONB NOT NULL,
    found_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    last_seen_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    resolved_at TIMESTAMPTZ,
    PRIMARY KEY (id),
    CONSTRAINT invariant_known CHECK (invariant IN ('I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7')),
    CONSTRAINT looked_known CHECK (looked IN ('payments', 'keys', 'gateways'))
);
CREATE UNIQUE INDEX incidents_open ON incidents (payment_id, invariant, looked) WHERE resolved_at IS NULL;

CREATE TABLE audit_cursors (
    name TEXT NOT NULL,
    position TEXT NOT NULL,
    rounds INTEGER DEFAULT '0' NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE audit_log (
    seq BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    payment_id TEXT,
    details JSONB NOT NULL,
    previous_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (seq),
    CONSTRAINT seq_positive CHECK (seq >= 1)
);
CREATE INDEX audit_log_by_payment ON audit_log (payment_id, seq);

CREATE TABLE gateway_events (
    gateway TEXT NOT NULL,
    provider_event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT,
    payment_id TEXT,
    received_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (gateway, provider_event_id)
);
CREATE INDEX gateway_events_by_age ON gateway_events (received_at);

CREATE TABLE payment_snapshots (
    payment_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    state JSONB NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (payment_id, seq)
);
"""

# What a person decided may be added to, never changed.
GUARDS = """
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('the audit log is append-only');
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION aegis_refuse('the audit log is append-only');
REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM PUBLIC;
"""


# A frozen row is set to what its events say when it is unfrozen, and only then: its end or version may be what is wrong.
UNFREEZING = "OLD.frozen_at IS NOT NULL AND NEW.frozen_at IS NULL"
FINAL = "OLD.state IN ('SUCCESS', 'FAILURE', 'CANCELLED') AND NEW.state IS DISTINCT FROM OLD.state"
FIXED = """
    (NEW.id, NEW.merchant_id, NEW.amount_minor, NEW.currency, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.merchant_id, OLD.amount_minor, OLD.currency, OLD.created_at)
"""
FALLS = "NEW.version < OLD.version"
EXCEPT_UNFREEZING = f"""
DROP TRIGGER payments_terminal_is_final ON payments;
CREATE TRIGGER payments_terminal_is_final BEFORE UPDATE ON payments
    FOR EACH ROW WHEN ({FINAL} AND NOT ({UNFREEZING}))
    EXECUTE FUNCTION aegis_refuse('a terminal state is final');
DROP TRIGGER payments_terms_are_fixed ON payments;
CREATE TRIGGER payments_terms_are_fixed BEFORE UPDATE ON payments
    FOR EACH ROW WHEN ({FIXED} OR {FALLS} AND NOT ({UNFREEZING}))
    EXECUTE FUNCTION aegis_refuse('id, merchant, amount and currency never change; the version never falls');
"""
WITHOUT_EXCEPTION = f"""
DROP TRIGGER payments_terminal_is_final ON payments;
CREATE TRIGGER payments_terminal_is_final BEFORE UPDATE ON payments
    FOR EACH ROW WHEN ({FINAL}) EXECUTE FUNCTION aegis_refuse('a terminal state is final');
DROP TRIGGER payments_terms_are_fixed ON payments;
CREATE TRIGGER payments_terms_are_fixed BEFORE UPDATE ON payments
    FOR EACH ROW WHEN ({FIXED} OR {FALLS})
    EXECUTE FUNCTION aegis_refuse('id, merchant, amount and currency never change; the version never falls');
"""


def upgrade() -> None:
    """Add columns and tables, and triggers that keep the audit log from being changed."""
    op.execute(COLUMNS)
    op.execute(TABLES)
    op.execute(GUARDS)
    op.execute(EXCEPT_UNFREEZING)


def downgrade() -> None:
    """Drop the columns and tables. What they hold is lost."""
    op.execute("DROP TABLE incidents, audit_cursors, audit_log, gateway_events, payment_snapshots")
    op.execute(WITHOUT_EXCEPTION)
    op.execute(
        "DROP INDEX webhook_deliveries_ended, webhook_deliveries_dead, jobs_in_review, payments_frozen"
    )
    op.execute("ALTER TABLE api_keys DROP COLUMN role")
    op.execute("ALTER TABLE attempts DROP COLUMN recheck_at, DROP COLUMN rechecks")
    op.execute("ALTER TABLE jobs DROP COLUMN request, DROP COLUMN last_change")
    op.execute("ALTER TABLE payments DROP COLUMN frozen_at")
