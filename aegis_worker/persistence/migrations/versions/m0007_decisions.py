"""Decisions of people that wait for a gateway, and a mark on jobs: the claim under which work was begun.

With the mark, a claim counts against a job only if its worker began the work. Otherwise a job would go to review as one
that kills workers, only because workers could not write to the database.
"""

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
    """Add the table and the mark. Older workers may keep running: they count every claim and leave the mark empty."""
    op.execute("ALTER TABLE jobs ADD COLUMN begun_epoch INTEGER")
    op.execute(DECISIONS)


def downgrade() -> None:
    """Drop both. Waiting decisions are lost and have to be made again; their payments stay in review."""
    op.execute("DROP TABLE decisions")
    op.execute("ALTER TABLE jobs DROP COLUMN begun_epoch")
