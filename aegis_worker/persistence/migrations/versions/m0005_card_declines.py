"""Declined tries of cards. They are kept as long as card networks count them towards their retry limits."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
oldest_code = "0003"

# The second index is for forgetting them.
TABLE = """
CREATE TABLE card_declines (
    payment_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    merchant_id TEXT NOT NULL,
    card_key BYTEA NOT NULL,
    network TEXT,
    code TEXT NOT NULL,
    never_again BOOLEAN NOT NULL,
    at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (payment_id, number)
);
CREATE INDEX card_declines_by_card ON card_declines (card_key, at);
CREATE INDEX card_declines_by_age ON card_declines (at);
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(TABLE)


def downgrade() -> None:
    """Drop the table. Declines until now no longer count towards the limits."""
    op.execute("DROP TABLE card_declines")
