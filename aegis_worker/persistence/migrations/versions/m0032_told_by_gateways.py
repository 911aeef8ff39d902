"""Gateways' events are found by their payment or dispute: without look-ups, what a gateway has told is all that is known.

Older code may keep running: it reads them by nothing else than before.
"""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
oldest_code = "0031"

_INDEXES = """
CREATE INDEX gateway_events_of_payment ON gateway_events (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX gateway_events_of_dispute ON gateway_events (dispute_ref) WHERE dispute_ref IS NOT NULL;
"""


def upgrade() -> None:
    """Make the indexes."""
    op.execute(_INDEXES)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX gateway_events_of_dispute; DROP INDEX gateway_events_of_payment")
