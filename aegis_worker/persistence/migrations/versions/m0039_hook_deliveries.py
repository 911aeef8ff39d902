"""Events that hooks listen to wait for them here, so that a hook that fails holds up neither the stream nor webhooks.

Older code may keep running. It fans nothing out to hooks, so hooks hear nothing of the events that it delivers.
"""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
oldest_code = "0036"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE hook_deliveries (
            hook TEXT NOT NULL,
            point TEXT NOT NULL,
            payment_id TEXT NOT NULL,
            seq INTEGER NOT NULL,
            status TEXT NOT NULL DEFAULT 'pending',
            due_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
            lease_epoch INTEGER NOT NULL DEFAULT 0,
            tries INTEGER NOT NULL DEFAULT 0,
            last_error TEXT,
            created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (hook, point, payment_id, seq),
            CONSTRAINT status_known CHECK (status IN ('pending', 'dead')),
            CONSTRAINT error_is_bounded CHECK (length(last_error) <= 200)
        ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
        CREATE INDEX hook_deliveries_due ON hook_deliveries (hook, point, due_at) WHERE status = 'pending';
        CREATE INDEX hook_deliveries_dead ON hook_deliveries (hook, point, created_at) WHERE status = 'dead';
        CREATE INDEX hook_deliveries_by_age ON hook_deliveries (created_at)
        """
    )


def downgrade() -> None:
    """Drop the table: hooks don't hear of the events that wait for them."""
    op.execute("DROP TABLE hook_deliveries")
