"""Gateways' events keep the capture, void or refund that they show: evidence, where the gateway can't be asked about it.

Older code would ask such a gateway nothing and wait for ever, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
oldest_code = "0027"


def upgrade() -> None:
    """Add the column. No row is rewritten."""
    op.execute("ALTER TABLE gateway_events ADD COLUMN movement JSONB")


def downgrade() -> None:
    """Drop the column: what these events showed is in their bodies only."""
    op.execute("ALTER TABLE gateway_events DROP COLUMN movement")
