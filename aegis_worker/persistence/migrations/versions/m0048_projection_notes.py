"""Changes of payments that read models are to take in: a row for each batch of events instead of one for each payment.

Older code may keep running: it goes on noting changes in `projection_changes`, and newer code takes these in as well. What
newer code has noted waits for newer code; after going back for good, `aegis projections rebuild` counts everything.
"""

from __future__ import annotations

from alembic import op

revision = "0048"
down_revision = "0047"
oldest_code = "0036"

NOTES = """
CREATE TABLE projection_notes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_ids TEXT[] NOT NULL,
    changes INTEGER NOT NULL,
    told_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0.02)
"""


def upgrade() -> None:
    """Make the table, and leave room in pages of facts, so that a payment's end changes no index of them."""
    op.execute(NOTES)
    op.execute("ALTER TABLE payment_facts SET (fillfactor = 50)")


def downgrade() -> None:
    """Put what was noted where older code looks for it, and drop the table."""
    op.execute("ALTER TABLE payment_facts SET (fillfactor = 80)")
    op.execute(
        "INSERT INTO projection_changes (payment_id, told_at) SELECT unnest(payment_ids), told_at FROM projection_notes"
    )
    op.execute("DROP TABLE projection_notes")
