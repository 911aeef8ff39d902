"""Webhook endpoints hear of payments of one mode: that of the key that registered them.

Endpoints so far hear of test payments, because all payments so far are. Older code would post events of one mode to
endpoints of the other, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
oldest_code = "0019"


def upgrade() -> None:
    """Add the column. No row is rewritten."""
    op.execute("ALTER TABLE webhook_endpoints ADD COLUMN mode TEXT NOT NULL DEFAULT 'test'")


def downgrade() -> None:
    """Drop the column: endpoints hear of all payments of their merchant."""
    op.execute("ALTER TABLE webhook_endpoints DROP COLUMN mode")
