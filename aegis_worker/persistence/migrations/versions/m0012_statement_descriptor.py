"""Payments may say what the payer reads on the statement.

Older code goes on beside it: it neither writes nor reads the column, so a payment that it charges meanwhile is charged
without the descriptor.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
oldest_code = "0003"


def upgrade() -> None:
    """Add the column. No row is rewritten."""
    op.execute("ALTER TABLE payments ADD COLUMN statement_descriptor TEXT")


def downgrade() -> None:
    """Forget what was given."""
    op.execute("ALTER TABLE payments DROP COLUMN statement_descriptor")
