"""Routing: each configuration that operators put, in a row that is never changed, and the gateways that are paused."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
oldest_code = "0003"

TABLES = """
CREATE TABLE routing_versions (
    version INTEGER NOT NULL,
    document JSONB,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (version),
    CONSTRAINT version_positive CHECK (version >= 1)
);

CREATE TABLE gateway_pauses (
    gateway TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    paused_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (gateway)
);
"""

GUARDS = """
CREATE TRIGGER routing_versions_append_only BEFORE UPDATE OR DELETE ON routing_versions
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('routing versions are append-only');
CREATE TRIGGER routing_versions_no_truncate BEFORE TRUNCATE ON routing_versions
    FOR EACH STATEMENT EXECUTE FUNCTION aegis_refuse('routing versions are append-only');
REVOKE UPDATE, DELETE, TRUNCATE ON routing_versions FROM PUBLIC;
"""


def upgrade() -> None:
    """Add the tables, and triggers that keep configurations from being changed."""
    op.execute(TABLES)
    op.execute(GUARDS)


def downgrade() -> None:
    """Drop the tables. Configurations and pauses are lost."""
    op.execute("DROP TABLE routing_versions, gateway_pauses")
