"""What went out to gateways and came back is kept for a while, without secrets and personal data.

Older code may keep running. It neither writes nor reads this, and does not purge it.
"""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
oldest_code = "0025"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE exchanges (
            payment_id TEXT NOT NULL,
            id BIGINT NOT NULL,
            operation TEXT NOT NULL,
            number INTEGER NOT NULL,
            kind TEXT NOT NULL,
            at TIMESTAMPTZ NOT NULL,
            told TEXT NOT NULL,
            PRIMARY KEY (payment_id, id),
            CONSTRAINT told_is_bounded CHECK (octet_length(told) <= 12288)
        );
        CREATE INDEX exchanges_by_age ON exchanges (at)
        """
    )


def downgrade() -> None:
    """Drop the table: the exchanges are lost, the attempts stay."""
    op.execute("DROP TABLE exchanges")
