"""Which code a schema serves, where code can read it that doesn't know the schema's migration."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
oldest_code = "0003"

# One row: the schema's revision, and the newest migration that code must know to work with it.
TABLE = """
CREATE TABLE schema_compatibility (
    revision TEXT NOT NULL,
    oldest_code TEXT NOT NULL,
    PRIMARY KEY (revision)
);
"""


def upgrade() -> None:
    """Add the table; whoever migrates writes its row."""
    op.execute(TABLE)


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP TABLE schema_compatibility")
