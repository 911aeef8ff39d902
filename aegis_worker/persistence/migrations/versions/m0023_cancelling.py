"""A payment says that its merchant has cancelled it before it was known what is held.

Older code would go on to the next gateway, and can't read the event, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
oldest_code = "0023"


def upgrade() -> None:
    """Add the column. No row is rewritten."""
    op.execute("ALTER TABLE payments ADD COLUMN cancelling BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    """Drop the column: payments whose events tell of a cancel can't be folded any more."""
    op.execute("ALTER TABLE payments DROP COLUMN cancelling")
