"""Rules: each document of them that operators put, in a row that is never changed."""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0040"
oldest_code = "0036"

TABLE = """
CREATE TABLE rules_versions (
    version INTEGER NOT NULL,
    document JSONB,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (version),
    CONSTRAINT version_positive CHECK (version >= 1)
);
"""

GUARDS = """
CREATE TRIGGER rules_versions_append_only BEFORE UPDATE OR DELETE ON rules_versions
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('versions of rules are append-only');
CREATE TRIGGER rules_versions_no_truncate BEFORE TRUNCATE ON rules_versions
    FOR EACH STATEMENT EXECUTE FUNCTION aegis_refuse('versions of rules are append-only');
REVOKE UPDATE, DELETE, TRUNCATE ON rules_versions FROM PUBLIC;
"""


def upgrade() -> None:
    """Add the table, and triggers that keep rules from being changed. Older code goes on beside it and screens nothing."""
    op.execute(TABLE)
    op.execute(GUARDS)


def downgrade() -> None:
    """Drop the table. The rules that were put are lost."""
    op.execute("DROP TABLE rules_versions")
