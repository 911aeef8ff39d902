"""The oldest code that can work with the schema, in a table, where code older than the schema's migration can read it."""

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
    """Add the table. The command that migrates writes its row afterwards."""
    op.execute(TABLE)


def downgrade() -> None:
    """Drop the table."""
    op.execute("DROP TABLE schema_compatibility")
