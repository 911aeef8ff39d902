"""Gateways' events keep how the dispute stands that they show: evidence, where the gateway can't be asked about disputes.

Older code may go on: it knows no gateway that can't be asked about them.
"""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
oldest_code = "0029"


def upgrade() -> None:
    """Add the column. No row is rewritten."""
    op.execute("ALTER TABLE gateway_events ADD COLUMN dispute JSONB")


def downgrade() -> None:
    """Drop the column: what these events showed is in their bodies only."""
    op.execute("ALTER TABLE gateway_events DROP COLUMN dispute")
