"""Whether a claim was begun, so that a job is not taken for deadly because workers could not write."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0005"


def upgrade() -> None:
    """Old workers go on beside it: they count every claim, and leave the mark empty."""
    op.execute("ALTER TABLE jobs ADD COLUMN begun_epoch INTEGER")


def downgrade() -> None:
    """Without the mark no death is told from an outage."""
    op.execute("ALTER TABLE jobs DROP COLUMN begun_epoch")
