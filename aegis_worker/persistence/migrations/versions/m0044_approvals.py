"""Approvals: what one operator asks for waits here for a second one.

Older code may keep running. It knows no rule of two people, so set AEGIS_TWO_PERSON_ABOVE once none of it runs any more.
"""

from __future__ import annotations

from alembic import op

revision = "0044"
down_revision = "0043"
oldest_code = "0036"

TABLE = """
CREATE TABLE approvals (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    payment_version INTEGER NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    request JSONB NOT NULL,
    request_sha256 BYTEA NOT NULL,
    key TEXT,
    asked_by TEXT NOT NULL,
    asked_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    status TEXT DEFAULT 'asked' NOT NULL,
    decided_by TEXT,
    decided_at TIMESTAMPTZ,
    decided_because TEXT,
    ended_at TIMESTAMPTZ,
    ended_because TEXT,
    result JSONB,
    PRIMARY KEY (id),
    CONSTRAINT kind_known CHECK (kind IN ('resolution', 'refund')),
    CONSTRAINT status_known CHECK (status IN ('asked', 'approved', 'carried_out', 'failed', 'refused', 'expired')),
    CONSTRAINT approved_by_another CHECK (
        status NOT IN ('approved', 'carried_out', 'failed') OR (decided_by IS NOT NULL
        AND split_part(decided_by, ' ', 1) <> split_part(asked_by, ' ', 1))
    ),
    CONSTRAINT ended_has_time CHECK ((status IN ('asked', 'approved')) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX approvals_open ON approvals (payment_id, request_sha256) WHERE status IN ('asked', 'approved');
CREATE UNIQUE INDEX approvals_by_key ON approvals (payment_id, key) WHERE key IS NOT NULL;
CREATE INDEX approvals_due ON approvals (expires_at) WHERE status IN ('asked', 'approved');
CREATE INDEX approvals_of_payment ON approvals (payment_id, id);
"""

GUARDS = """
CREATE TRIGGER approvals_are_kept BEFORE DELETE ON approvals
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('approvals are kept');
CREATE TRIGGER approvals_no_truncate BEFORE TRUNCATE ON approvals
    FOR EACH STATEMENT EXECUTE FUNCTION aegis_refuse('approvals are kept');
CREATE TRIGGER approvals_begin_asked BEFORE INSERT ON approvals
    FOR EACH ROW WHEN (NEW.status <> 'asked') EXECUTE FUNCTION aegis_refuse('an approval begins by being asked for');
CREATE TRIGGER approvals_move_on BEFORE UPDATE ON approvals
    FOR EACH ROW WHEN (
        NOT (
            (OLD.status = 'asked' AND NEW.status IN ('approved', 'refused', 'expired'))
            OR (OLD.status = 'approved' AND NEW.status IN ('carried_out', 'failed', 'expired'))
        )
        OR (OLD.status = 'approved' AND (NEW.decided_by, NEW.decided_at, NEW.decided_because)
            IS DISTINCT FROM (OLD.decided_by, OLD.decided_at, OLD.decided_because))
    )
    EXECUTE FUNCTION aegis_refuse('an approval moves from asked to its end, and what was decided stays so');
CREATE TRIGGER approvals_are_what_was_asked BEFORE UPDATE ON approvals
    FOR EACH ROW WHEN (
        (NEW.id, NEW.kind, NEW.payment_id, NEW.payment_version, NEW.amount_minor, NEW.currency, NEW.request,
         NEW.request_sha256, NEW.key, NEW.asked_by, NEW.asked_at, NEW.expires_at)
        IS DISTINCT FROM
        (OLD.id, OLD.kind, OLD.payment_id, OLD.payment_version, OLD.amount_minor, OLD.currency, OLD.request,
         OLD.request_sha256, OLD.key, OLD.asked_by, OLD.asked_at, OLD.expires_at)
    )
    EXECUTE FUNCTION aegis_refuse('what was asked for never changes');
"""


def upgrade() -> None:
    """Make the table, with triggers that keep what was asked for, and who decided, as they are."""
    op.execute(TABLE)
    op.execute(GUARDS)


def downgrade() -> None:
    """Drop the table: what waits for a second person is forgotten. The audit log keeps who asked and who approved."""
    op.execute("DROP TABLE approvals")
