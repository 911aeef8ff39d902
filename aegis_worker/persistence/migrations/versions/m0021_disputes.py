"""Disputes get a table, and payments the sums that disputes are about.

A refund says whether it was wanted although the payment is disputed. A gateway's event about a dispute says about which.

Older code can't read the events of disputes, and would refund what the payer disputes, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
oldest_code = "0021"

_DISPUTES = """
CREATE TABLE disputes (
    id TEXT NOT NULL PRIMARY KEY,
    payment_id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    mode TEXT NOT NULL,
    gateway TEXT NOT NULL,
    account TEXT,
    gateway_ref TEXT NOT NULL,
    charge_ref TEXT NOT NULL,
    own_charge BOOLEAN NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    gateway_status TEXT NOT NULL,
    reason TEXT NOT NULL,
    gateway_reason TEXT,
    respond_by TIMESTAMPTZ,
    asked_at TIMESTAMPTZ NOT NULL,
    check_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT disputes_of_gateway UNIQUE (gateway, gateway_ref),
    CONSTRAINT status_known CHECK (status IN ('warning', 'closed', 'needs_response', 'under_review', 'accepted', 'won',
        'lost'))
);
CREATE INDEX disputes_by_merchant ON disputes (merchant_id, mode, id);
CREATE INDEX disputes_by_payment ON disputes (payment_id);
CREATE INDEX disputes_to_answer ON disputes (respond_by) WHERE status IN ('warning', 'needs_response');
CREATE INDEX disputes_to_check ON disputes (check_at) WHERE check_at IS NOT NULL;
CREATE TRIGGER disputes_are_kept BEFORE DELETE ON disputes
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('disputes are kept');
"""
_COLUMNS = """
ALTER TABLE payments
    ADD COLUMN disputed_minor BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN charged_back_minor BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE refunds ADD COLUMN forced BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE gateway_events ADD COLUMN dispute_ref TEXT;
"""


def upgrade() -> None:
    """Make the table, and add the columns. No row is rewritten."""
    op.execute(_DISPUTES)
    op.execute(_COLUMNS)


def downgrade() -> None:
    """Drop the table: disputes are lost, and payments whose events tell of them can't be folded any more."""
    op.execute("ALTER TABLE gateway_events DROP COLUMN dispute_ref")
    op.execute("ALTER TABLE refunds DROP COLUMN forced")
    op.execute("ALTER TABLE payments DROP COLUMN disputed_minor, DROP COLUMN charged_back_minor")
    op.execute("DROP TABLE disputes")
