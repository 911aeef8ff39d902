"""Deliveries to deleted endpoints end as cancelled. They can't be posted again, unlike dead ones, which were given up."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
oldest_code = "0003"

# The index first: while it is made, deliveries are read and only their writers wait. Code from before this migration goes
# on beside it; what that still calls dead, the purge puts right.
UP = """
CREATE INDEX webhook_deliveries_cancelled ON webhook_deliveries (id) WHERE status = 'cancelled';
ALTER TABLE webhook_deliveries DROP CONSTRAINT status_known, ADD CONSTRAINT status_known
    CHECK (status IN ('pending', 'delivered', 'dead', 'cancelled')) NOT VALID;
ALTER TABLE webhook_deliveries VALIDATE CONSTRAINT status_known;
UPDATE webhook_deliveries d SET status = 'cancelled', leased = false, lease_epoch = d.lease_epoch + 1
FROM webhook_endpoints w
WHERE w.id = d.endpoint_id AND w.disabled_at IS NOT NULL AND d.status IN ('pending', 'dead');
"""
DOWN = """
DROP INDEX webhook_deliveries_cancelled;
UPDATE webhook_deliveries SET status = 'dead' WHERE status = 'cancelled';
ALTER TABLE webhook_deliveries DROP CONSTRAINT status_known, ADD CONSTRAINT status_known
    CHECK (status IN ('pending', 'delivered', 'dead'));
"""


def upgrade() -> None:
    """Allow the status, and give it to pending and dead deliveries of deleted endpoints."""
    op.execute(UP)


def downgrade() -> None:
    """Make cancelled deliveries dead again, and forbid the status."""
    op.execute(DOWN)
