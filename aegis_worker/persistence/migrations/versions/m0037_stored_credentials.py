"""Payments say what their card is kept for, and charges without the payer refer to the payment at which the payer agreed.

Older code may keep running. It neither writes nor reads the columns, so a payment that it charges is charged without.
"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
oldest_code = "0036"


def upgrade() -> None:
    """Add the columns. No row is rewritten."""
    op.execute(
        """
        ALTER TABLE payments
            ADD COLUMN setup_future_usage TEXT,
            ADD COLUMN off_session_reason TEXT,
            ADD COLUMN network_transaction_id TEXT
        """
    )


def downgrade() -> None:
    """Drop the columns, and with them what they say."""
    op.execute(
        """
        ALTER TABLE payments
            DROP COLUMN network_transaction_id, DROP COLUMN off_session_reason, DROP COLUMN setup_future_usage
        """
    )
