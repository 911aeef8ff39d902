"""What is known of payers gets a table of its own, and payments get off_session, a mandate and order lines.

A payment says whether its payer was given (`has_payer`), so that nobody looks for those of the others; the rows themselves
go when they are erased or past their time.

Older code may keep running. It neither writes nor reads any of this, so a payment that it charges is charged without.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
oldest_code = "0017"


def upgrade() -> None:
    """Make the table and add the columns. No row is rewritten."""
    op.execute(
        """
        CREATE TABLE payer_details (
            payment_id TEXT PRIMARY KEY,
            details JSONB NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
        );
        CREATE INDEX payer_details_by_age ON payer_details (created_at);
        ALTER TABLE payments
            ADD COLUMN has_payer BOOLEAN NOT NULL DEFAULT false,
            ADD COLUMN off_session BOOLEAN,
            ADD COLUMN mandate TEXT,
            ADD COLUMN order_lines JSONB
        """
    )


def downgrade() -> None:
    """Drop table and columns. What is known of payers is lost, and what the columns say."""
    op.execute(
        """
        ALTER TABLE payments
            DROP COLUMN order_lines, DROP COLUMN mandate, DROP COLUMN off_session, DROP COLUMN has_payer;
        DROP TABLE payer_details
        """
    )
