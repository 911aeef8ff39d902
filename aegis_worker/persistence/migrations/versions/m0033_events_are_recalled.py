"""What gateways told is read from their events as they are kept, so these no longer keep it in other words beside.

Nothing of a gateway that we have showed either column. Code that still reads them must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
oldest_code = "0033"


def upgrade() -> None:
    """Drop the columns, and the second of two indexes that were the same. No row is rewritten."""
    op.execute("ALTER TABLE gateway_events DROP COLUMN movement, DROP COLUMN dispute")
    op.execute("DROP INDEX gateway_events_of_payment")


def downgrade() -> None:
    """Add them again, empty, as they were in every row."""
    op.execute("ALTER TABLE gateway_events ADD COLUMN movement JSONB, ADD COLUMN dispute JSONB")
    op.execute(
        "CREATE INDEX gateway_events_of_payment ON gateway_events (payment_id) WHERE payment_id IS NOT NULL"
    )
