"""People decide about captures, voids and refunds in doubt as well: they have succeeded or failed.

Older code can't carry such a decision out, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
oldest_code = "0029"

_KNOWN = "ALTER TABLE decisions DROP CONSTRAINT resolution_known, ADD CONSTRAINT resolution_known CHECK ({})"


def upgrade() -> None:
    """Allow the two resolutions."""
    op.execute(_KNOWN.format("resolution IN ('charged', 'not_charged', 'succeeded', 'failed')"))


def downgrade() -> None:
    """Forbid them again. Fails while such a decision waits."""
    op.execute(_KNOWN.format("resolution IN ('charged', 'not_charged')"))
