"""Captures and refunds get tables of their own, and payments the amounts that those reserve.

The amounts of a payment are no longer bound to an order among each other: a gateway may report that a capture failed after
it was refunded, and what a gateway reports can always be written. What we ask for is checked where it is accepted.

Older code would hand the jobs of captures and refunds to a person, and can't read their events, so it must not go on.
Nobody can read or write payments while their rows are checked, which takes about a second for a million.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
oldest_code = "0016"

_ENTITIES = """
CREATE TABLE {name} (
    id TEXT NOT NULL PRIMARY KEY,
    payment_id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    mode TEXT NOT NULL,
    number INTEGER NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,{more}
    status TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hmac BYTEA NOT NULL,
    gateway TEXT,
    gateway_ref TEXT,
    error JSONB,
    check_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT {name}_key_of_payment UNIQUE (payment_id, key),
    CONSTRAINT {name}_number_of_payment UNIQUE (payment_id, number),
    CONSTRAINT status_known CHECK (status IN ('requested', 'pending', 'succeeded', 'failed')),
    CONSTRAINT amount_in_range CHECK (amount_minor BETWEEN 1 AND 99999999999)
);
CREATE INDEX {name}_by_merchant ON {name} (merchant_id, mode, id);
CREATE INDEX {name}_to_check ON {name} (check_at) WHERE check_at IS NOT NULL;
CREATE TRIGGER {name}_are_kept BEFORE DELETE ON {name}
    FOR EACH ROW EXECUTE FUNCTION aegis_refuse('{name} are kept');
"""
PAYMENTS = """
ALTER TABLE payments
    ADD COLUMN capturing_minor BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN refunding_minor BIGINT DEFAULT '0' NOT NULL,
    ADD COLUMN closing BOOLEAN DEFAULT false NOT NULL,
    DROP CONSTRAINT amounts_ordered,
    ADD CONSTRAINT amounts_not_negative CHECK (
        least(authorized_minor, captured_minor, refunded_minor, capturing_minor, refunding_minor) >= 0);
"""


def upgrade() -> None:
    """Make the tables, and add the columns."""
    op.execute(_ENTITIES.format(name="captures", more="\n    final BOOLEAN NOT NULL,"))
    op.execute(_ENTITIES.format(name="refunds", more=""))
    op.execute(PAYMENTS)


def downgrade() -> None:
    """Drop the tables: captures and refunds are lost. Fails if amounts of a payment are not in their order."""
    op.execute(
        "ALTER TABLE payments DROP CONSTRAINT amounts_not_negative, DROP COLUMN capturing_minor,"
        " DROP COLUMN refunding_minor, DROP COLUMN closing, ADD CONSTRAINT amounts_ordered CHECK ("
        " 0 <= refunded_minor AND refunded_minor <= captured_minor AND captured_minor <= authorized_minor"
        " AND authorized_minor <= amount_minor)"
    )
    op.execute("DROP TABLE captures, refunds")
