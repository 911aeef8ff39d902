"""Webhooks that are signed with a certificate wait, sealed, until a worker has verified them.

Older code may keep running: it has no gateway that signs so.
"""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
oldest_code = "0033"

_UPGRADE = """
CREATE TABLE unverified_webhooks (
    id TEXT PRIMARY KEY,
    gateway TEXT NOT NULL,
    key_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    received_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    due_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL
);
CREATE INDEX unverified_webhooks_due ON unverified_webhooks (due_at);
CREATE INDEX unverified_webhooks_of_gateway ON unverified_webhooks (gateway);
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Forget what was not verified yet: its gateway delivers it again, and is asked anyway."""
    op.execute("DROP TABLE unverified_webhooks")
