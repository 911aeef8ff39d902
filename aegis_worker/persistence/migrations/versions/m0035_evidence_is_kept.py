"""Gateways' events say until when they are kept: those of gateways that can't be asked are the only evidence of a charge.

Older code deletes each after 30 days, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
oldest_code = "0035"


def upgrade() -> None:
    """Add the column, and the index by which rows are deleted. No row is rewritten: what there is stays for 30 days."""
    op.execute(
        "ALTER TABLE gateway_events ADD COLUMN keep_until TIMESTAMPTZ DEFAULT now() + INTERVAL '30 days' NOT NULL"
    )
    op.execute("CREATE INDEX gateway_events_kept ON gateway_events (keep_until)")


def downgrade() -> None:
    """Drop both: evidence goes after 30 days, as it did."""
    op.execute("DROP INDEX gateway_events_kept")
    op.execute("ALTER TABLE gateway_events DROP COLUMN keep_until")
