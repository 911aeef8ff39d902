"""Jobs in review say what for: to find out what happened at a gateway, or to say whether a payment may be sent at all.

Older code may keep running. What it hands to a person is a doubt, which is what no kind means; of a review that is about
fraud it offers `not_charged` and `ask_again`, after which a worker that knows of the screening hands it over again.
"""

from __future__ import annotations

from alembic import op

revision = "0040"
down_revision = "0039"
oldest_code = "0036"


def upgrade() -> None:
    """Add the column. No row is rewritten: what is in review from before is a doubt."""
    op.execute("ALTER TABLE jobs ADD COLUMN review_kind TEXT")


def downgrade() -> None:
    """Drop the column: every review is a doubt again."""
    op.execute("ALTER TABLE jobs DROP COLUMN review_kind")
