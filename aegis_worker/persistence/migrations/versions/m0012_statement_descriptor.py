"""Payments get a statement descriptor: what the payer reads on the bank or card statement.

Older code may keep running. It neither writes nor reads the column, so a payment that it charges is charged without the
descriptor.
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
    """Drop the column. Descriptors of payments are lost."""
    op.execute("ALTER TABLE payments DROP COLUMN statement_descriptor")
