"""Gateways' events are kept with the body that they came in, sealed, and followed by a worker.

Older code may keep running: it follows the events that it keeps by itself, and these are stored as followed.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
oldest_code = "0014"

_UPGRADE = """
ALTER TABLE gateway_events
    ADD COLUMN account TEXT,
    ADD COLUMN gateway_ref TEXT,
    ADD COLUMN amount_minor BIGINT,
    ADD COLUMN currency TEXT,
    ADD COLUMN status TEXT NOT NULL DEFAULT 'followed'
        CONSTRAINT status_known CHECK (status IN ('waiting', 'followed', 'no_news', 'unmatched', 'foreign')),
    ADD COLUMN reason TEXT,
    ADD COLUMN due_at TIMESTAMPTZ,
    ADD COLUMN waits_until TIMESTAMPTZ,
    ADD COLUMN tries INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN body_id TEXT,
    ADD CONSTRAINT waiting_is_due CHECK ((status = 'waiting') = (due_at IS NOT NULL));
CREATE INDEX gateway_events_due ON gateway_events (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX gateway_events_unmatched ON gateway_events (received_at) WHERE status = 'unmatched';
CREATE TABLE gateway_event_bodies (
    id TEXT PRIMARY KEY,
    gateway TEXT NOT NULL,
    key_id TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    received_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL
);
CREATE INDEX gateway_event_bodies_by_age ON gateway_event_bodies (received_at);
"""

_DOWNGRADE = """
DROP TABLE gateway_event_bodies;
DROP INDEX gateway_events_unmatched;
DROP INDEX gateway_events_due;
ALTER TABLE gateway_events
    DROP COLUMN account, DROP COLUMN gateway_ref, DROP COLUMN amount_minor, DROP COLUMN currency, DROP COLUMN status,
    DROP COLUMN reason, DROP COLUMN due_at, DROP COLUMN waits_until, DROP COLUMN tries, DROP COLUMN body_id;
"""


def upgrade() -> None:
    """Add the columns, their indexes, and the table of bodies."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Forget what was not followed yet, and the bodies."""
    op.execute(_DOWNGRADE)
