"""When a key was last used, and lists of the console that somebody saved under a name.

Older code may keep running: it does not say that it used a key, and has no saved lists.
"""

from __future__ import annotations

from alembic import op

revision = "0046"
down_revision = "0045"
oldest_code = "0036"

CHANGES = """
ALTER TABLE api_keys ADD COLUMN last_used_at TIMESTAMPTZ;
CREATE TABLE console_views (
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    made_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (user_id, name)
);
"""


def upgrade() -> None:
    """Add the column, which rewrites no row, and the table."""
    op.execute(CHANGES)


def downgrade() -> None:
    """Drop both: nothing but saved lists, and the knowledge of when keys were used, is lost."""
    op.execute("DROP TABLE console_views")
    op.execute("ALTER TABLE api_keys DROP COLUMN last_used_at")
