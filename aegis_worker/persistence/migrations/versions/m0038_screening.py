"""Payments keep what hooks and rules said of them before their first attempt.

Older code may keep running while no hook and no rule is on: it can't read the event that tells of a screening, and screens
nothing itself. So processes of the last version have to be gone before the first hook or rule is switched on.
"""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
oldest_code = "0036"


def upgrade() -> None:
    """Add the column. No row is rewritten: payments from before were never screened."""
    op.execute("ALTER TABLE payments ADD COLUMN screening JSONB")


def downgrade() -> None:
    """Drop the column: payments that were screened can't be folded any more."""
    op.execute("ALTER TABLE payments DROP COLUMN screening")
