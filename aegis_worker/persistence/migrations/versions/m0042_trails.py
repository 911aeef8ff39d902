"""Jobs, and what waits for one, keep the trail of the request that brought them about: correlation id and trace context.

Older code may keep running. Its jobs have no trail, and it takes no notice of those of others.
"""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"
oldest_code = "0036"

_TABLES = ("jobs", "captures", "refunds", "voids")


def upgrade() -> None:
    """Add the columns. No row is rewritten."""
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ADD COLUMN correlation_id TEXT, ADD COLUMN traceparent TEXT")


def downgrade() -> None:
    """Drop the columns. What is logged from then on can't be found by a request's correlation id any more."""
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} DROP COLUMN correlation_id, DROP COLUMN traceparent")
