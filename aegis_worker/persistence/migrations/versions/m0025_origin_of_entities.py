"""Captures, voids and refunds that somebody asked for at the gateway itself, such as in its dashboard: `origin` says so.

They have no key of ours and no number. Older code can't read them, and must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
oldest_code = "0025"

_NAMES = ("captures", "voids", "refunds")
_UP = """
ALTER TABLE {name}
    ADD COLUMN origin TEXT DEFAULT 'merchant' NOT NULL,
    ALTER COLUMN number DROP NOT NULL,
    ALTER COLUMN key DROP NOT NULL,
    ALTER COLUMN request_hmac DROP NOT NULL,
    ADD CONSTRAINT ordered_under_a_key CHECK (
        (origin = 'merchant') = (num_nonnulls(number, key, request_hmac) = 3)
        AND origin IN ('merchant', 'gateway'));
CREATE UNIQUE INDEX {name}_found_once ON {name} (payment_id, gateway_ref) WHERE origin = 'gateway';
"""
_DOWN = """
DROP INDEX {name}_found_once;
ALTER TABLE {name}
    DROP CONSTRAINT ordered_under_a_key,
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN key SET NOT NULL,
    ALTER COLUMN request_hmac SET NOT NULL,
    DROP COLUMN origin;
"""


def upgrade() -> None:
    """Add the column."""
    for name in _NAMES:
        op.execute(_UP.format(name=name))


def downgrade() -> None:
    """Drop the column. Fails where something was asked for at a gateway, because older code can't tell of it."""
    for name in _NAMES:
        op.execute(_DOWN.format(name=name))
