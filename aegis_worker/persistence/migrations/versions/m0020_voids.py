"""Voids get a table of their own, as captures and refunds have: what a merchant's cancel of held funds leads to.

Older code would hand the jobs of voids to a person, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
oldest_code = "0020"

VOIDS = """
CREATE TABLE voids (
    id TEXT NOT NULL PRIMARY KEY,
    payment_id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    mode TEXT NOT NULL,
    number INTEGER NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hmac BYTEA NOT NULL,
    gateway TEXT,
    gateway_ref TEXT,
    error JSONB,
    check_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT voids_key_of_payment UNIQUE (payment_id, key),
    CONSTRAINT voids_number_of_payment UNIQUE (payment_id, number),
    CONSTRAINT status_known CHECK (status IN ('requested', 'pending', 'succeeded', 'failed')),
    CONSTRAINT amount_in_range CHECK (amount_minor BETWEEN 1 AND 99999999999)
);
CREATE INDEX voids_by_merchant ON voids (merchant_id, mode, id);
CREATE INDEX voids_to_check ON voids (check_at) WHERE check_at IS NOT NULL;
CREATE TRIGGER voids_are_kept BEFORE DELETE ON voids
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('voids are kept');
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(VOIDS)


def downgrade() -> None:
    """Drop the table: voids are lost, their payments stay as they are."""
    op.execute("DROP TABLE voids")
