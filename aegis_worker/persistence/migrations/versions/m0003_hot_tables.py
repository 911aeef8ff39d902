"""Make updates of busy tables cheaper: they write no index entries, lock no rows in triggers, and are vacuumed in time.

If an update changes no column that an index or an index's condition uses, PostgreSQL writes no index entry (a HOT update),
and the next reader of the page removes the old row version. So no index uses the columns that change while a job or a
payment is worked on: `jobs.status` and `lease_until`, `payments.state`. Indexes use generated columns instead, which are
computed from these and seldom change. A HOT update also needs free space on the page, so the fillfactor leaves room for a
second version of each row.

Adding generated columns rewrites `payments` and `jobs`: nobody can read or write them meanwhile.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
oldest_code = "0003"

# A payment that failed or was cancelled frees its reference. NULLS NOT DISTINCT: of those that did not, there is one.
PAYMENTS = """
ALTER TABLE payments
    ADD COLUMN reference_freed_by TEXT GENERATED ALWAYS AS (
        CASE WHEN state IN ('FAILURE', 'CANCELLED') THEN id END) STORED,
    ADD COLUMN unfinished BOOLEAN GENERATED ALWAYS AS (
        state NOT IN ('SUCCESS', 'FAILURE', 'CANCELLED')) STORED NOT NULL;
DROP INDEX payments_live_reference, payments_unfinished;
CREATE UNIQUE INDEX payments_live_reference ON payments (merchant_id, reference, reference_freed_by)
    NULLS NOT DISTINCT WHERE reference IS NOT NULL;
CREATE INDEX payments_unfinished ON payments (merchant_id, id) WHERE unfinished;
CREATE INDEX payments_in_doubt ON payments (merchant_id, id) WHERE certainty = 'unknown';
"""

# One index for a payment's jobs and for the rule that one of them is open: finished_at is null until then.
JOBS = """
UPDATE jobs SET finished_at = CASE WHEN status IN ('succeeded', 'failed') THEN coalesce(finished_at, updated_at) END
WHERE (finished_at IS NULL) = (status IN ('succeeded', 'failed'));
ALTER TABLE jobs
    ADD COLUMN in_review BOOLEAN GENERATED ALWAYS AS (status = 'review') STORED NOT NULL,
    ADD CONSTRAINT ended_has_time CHECK ((status IN ('succeeded', 'failed')) = (finished_at IS NOT NULL));
DROP INDEX jobs_due, jobs_leased, jobs_by_payment, jobs_one_open_per_payment, jobs_in_review;
CREATE UNIQUE INDEX jobs_one_open_per_payment ON jobs (payment_id, finished_at) NULLS NOT DISTINCT;
CREATE INDEX jobs_due ON jobs (queue, run_at) WHERE finished_at IS NULL AND NOT in_review;
CREATE INDEX jobs_due_by_merchant ON jobs (queue, merchant_id, run_at) WHERE finished_at IS NULL AND NOT in_review;
CREATE INDEX jobs_in_review ON jobs (payment_id) WHERE in_review;
"""

# AFTER and not BEFORE: what must not stand is refused just the same, but a BEFORE trigger has PostgreSQL lock each row
# first, with a record of it in the write-ahead log.
GUARDS = """
DROP TRIGGER payments_terminal_is_final ON payments;
DROP TRIGGER payments_terms_are_fixed ON payments;
CREATE TRIGGER payments_terminal_is_final {when} UPDATE ON payments
    FOR EACH ROW WHEN (
        OLD.state IN ('SUCCESS', 'FAILURE', 'CANCELLED') AND NEW.state IS DISTINCT FROM OLD.state
        AND NOT (OLD.frozen_at IS NOT NULL AND NEW.frozen_at IS NULL)
    )
    EXECUTE FUNCTION aegis_refuse('a terminal state is final');
CREATE TRIGGER payments_terms_are_fixed {when} UPDATE ON payments
    FOR EACH ROW WHEN (
        (NEW.id, NEW.merchant_id, NEW.amount_minor, NEW.currency, NEW.created_at)
            IS DISTINCT FROM (OLD.id, OLD.merchant_id, OLD.amount_minor, OLD.currency, OLD.created_at)
        OR NEW.version < OLD.version AND NOT (OLD.frozen_at IS NOT NULL AND NEW.frozen_at IS NULL)
    )
    EXECUTE FUNCTION aegis_refuse('id, merchant, amount and currency never change; the version never falls');
"""

# A queue's index begins with what is done, until it is vacuumed away, and every claim walks over it: vacuum after some
# ten thousand rows and without pauses. Of the large tables, after 2 % instead of 20.
STORAGE = """
ALTER TABLE payments SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 20000, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE jobs SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE attempts SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 20000, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE outbox SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE webhook_deliveries SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
"""

EARLIER_INDEXES = """
DROP INDEX payments_live_reference, payments_unfinished, payments_in_doubt;
ALTER TABLE payments DROP COLUMN reference_freed_by, DROP COLUMN unfinished;
CREATE UNIQUE INDEX payments_live_reference
    ON payments (merchant_id, reference)
    WHERE reference IS NOT NULL AND state NOT IN ('FAILURE', 'CANCELLED');
CREATE INDEX payments_unfinished ON payments (id) WHERE state NOT IN ('SUCCESS', 'FAILURE', 'CANCELLED');
DROP INDEX jobs_one_open_per_payment, jobs_due, jobs_due_by_merchant, jobs_in_review;
ALTER TABLE jobs DROP CONSTRAINT ended_has_time, DROP COLUMN in_review;
CREATE INDEX jobs_by_payment ON jobs (payment_id);
CREATE INDEX jobs_due ON jobs (queue, run_at) WHERE status IN ('queued', 'waiting');
CREATE INDEX jobs_leased ON jobs (queue, lease_until) WHERE status = 'running';
CREATE INDEX jobs_in_review ON jobs (payment_id) WHERE status = 'review';
CREATE UNIQUE INDEX jobs_one_open_per_payment
    ON jobs (payment_id) WHERE status IN ('queued', 'running', 'waiting', 'review');
"""
_VACUUM = "autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold"
EARLIER_STORAGE = f"""
ALTER TABLE payments SET (fillfactor = 80);
ALTER TABLE payments RESET ({_VACUUM}, autovacuum_analyze_scale_factor);
ALTER TABLE jobs SET (fillfactor = 70);
ALTER TABLE jobs RESET ({_VACUUM}, autovacuum_vacuum_cost_delay, autovacuum_analyze_scale_factor);
ALTER TABLE attempts SET (fillfactor = 80);
ALTER TABLE attempts RESET ({_VACUUM}, autovacuum_analyze_scale_factor);
ALTER TABLE outbox SET (fillfactor = 80);
ALTER TABLE outbox RESET ({_VACUUM}, autovacuum_vacuum_cost_delay);
ALTER TABLE webhook_deliveries SET (fillfactor = 80);
ALTER TABLE webhook_deliveries RESET ({_VACUUM}, autovacuum_vacuum_cost_delay);
"""


def upgrade() -> None:
    """Rewrite the two tables, create their indexes anew, and set fillfactor and vacuum thresholds."""
    op.execute(PAYMENTS)
    op.execute(JOBS)
    op.execute(GUARDS.format(when="AFTER"))
    op.execute(STORAGE)


def downgrade() -> None:
    """Restore the earlier indexes, triggers and storage settings."""
    op.execute(EARLIER_STORAGE)
    op.execute(GUARDS.format(when="BEFORE"))
    op.execute(EARLIER_INDEXES)
