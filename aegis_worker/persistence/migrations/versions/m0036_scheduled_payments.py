"""Payments may be scheduled: accepted now, and charged from then on.

Older code may keep running. It refuses such payments, and a worker of it takes their jobs up when they are due.
"""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
oldest_code = "0035"


def upgrade() -> None:
    """Add the column. No row is rewritten."""
    op.execute("ALTER TABLE payments ADD COLUMN scheduled_at TIMESTAMPTZ")


def downgrade() -> None:
    """Drop the column. Jobs keep the time at which they are due."""
    op.execute("ALTER TABLE payments DROP COLUMN scheduled_at")
