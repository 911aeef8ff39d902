"""Payments know until when their funds are held, and when the sweep has to look after that.

Older code can't read the event that tells of a hold's end, so it must not go on. Nobody can write payments while the index
is made, which is empty at first.
"""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
oldest_code = "0028"


def upgrade() -> None:
    """Add the columns and their index. No row is rewritten: funds that are held already have no end that we know."""
    op.execute(
        "ALTER TABLE payments ADD COLUMN capture_before TIMESTAMPTZ, ADD COLUMN hold_due_at TIMESTAMPTZ"
    )
    op.execute("CREATE INDEX payments_hold_due ON payments (hold_due_at) WHERE hold_due_at IS NOT NULL")


def downgrade() -> None:
    """Drop the columns: payments whose events tell of a hold's end can't be folded any more."""
    op.execute("ALTER TABLE payments DROP COLUMN capture_before, DROP COLUMN hold_due_at")
