"""Lists get the indexes that they need: captures, voids, refunds and disputes of all payments, deliveries of one mode, and
the events of a payment.

Deliveries take on the mode of their endpoint, which never changes. Nobody can read or write deliveries while their index is
made anew, which takes about a second for a million, and longer where many are of live endpoints.

Older code would write deliveries of live endpoints as those of test ones, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
oldest_code = "0024"

_ENTITIES = """
CREATE INDEX {name}_not_succeeded ON {name} (merchant_id, mode, id) WHERE status <> 'succeeded';
"""
_UPGRADE = """
CREATE INDEX disputes_by_status ON disputes (merchant_id, mode, status, id);
ALTER TABLE webhook_deliveries ADD COLUMN mode TEXT NOT NULL DEFAULT 'test';
UPDATE webhook_deliveries d SET mode = w.mode FROM webhook_endpoints w WHERE w.id = d.endpoint_id AND w.mode <> 'test';
DROP INDEX webhook_deliveries_by_merchant;
CREATE UNIQUE INDEX webhook_deliveries_by_merchant ON webhook_deliveries (merchant_id, mode, id);
CREATE INDEX gateway_events_by_payment ON gateway_events (payment_id) WHERE payment_id IS NOT NULL;
"""
_DOWNGRADE = """
DROP INDEX gateway_events_by_payment;
DROP INDEX webhook_deliveries_by_merchant;
ALTER TABLE webhook_deliveries DROP COLUMN mode;
CREATE UNIQUE INDEX webhook_deliveries_by_merchant ON webhook_deliveries (merchant_id, id);
DROP INDEX disputes_by_status;
"""
_NAMES = ("captures", "voids", "refunds")


def upgrade() -> None:
    """Make the indexes."""
    for name in _NAMES:
        op.execute(_ENTITIES.format(name=name))
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Drop them. Nothing is lost."""
    op.execute(_DOWNGRADE)
    for name in _NAMES:
        op.execute(f"DROP INDEX {name}_not_succeeded")
