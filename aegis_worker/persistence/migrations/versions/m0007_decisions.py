"""Decisions that wait for a gateway, and whether a claim was begun: no job is deadly because workers could not write."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
oldest_code = "0003"

DECISIONS = """
CREATE TABLE decisions (
    payment_id TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    resolution TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    gateway TEXT,
    gateway_ref TEXT,
    attempt INTEGER,
    sends INTEGER NOT NULL,
    actor TEXT NOT NULL,
    made_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    takes_effect_at TIMESTAMPTZ NOT NULL,
    look_at TIMESTAMPTZ NOT NULL,
    refused_at TIMESTAMPTZ,
    refused_because TEXT,
    CONSTRAINT resolution_known CHECK (resolution IN ('charged', 'not_charged')),
    CONSTRAINT refused_has_reason CHECK ((refused_at IS NULL) = (refused_because IS NULL))
);
CREATE INDEX decisions_due ON decisions (look_at) WHERE refused_at IS NULL;
"""


def upgrade() -> None:
    """Old workers go on beside it: they count every claim, and leave the mark empty."""
    op.execute("ALTER TABLE jobs ADD COLUMN begun_epoch INTEGER")
    op.execute(DECISIONS)


def downgrade() -> None:
    """Decisions that wait are lost, and have to be made again; their payments stay in review."""
    op.execute("DROP TABLE decisions")
    op.execute("ALTER TABLE jobs DROP COLUMN begun_epoch")
