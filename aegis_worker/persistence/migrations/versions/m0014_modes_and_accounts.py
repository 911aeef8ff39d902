"""Payments are live or test, attempts carry the gateway's account that they were made with, and keys have scopes.

All payments so far are test payments, because the sandbox and null adapters are all that there was, and they move no money.
A key needs no column: its mode is the word that it begins with. A merchant may use the same idempotency key and the same
reference once in each mode. Attempts so far were made with no account named, as their gateways' tables named none. No key
may refund until it is made anew with the scope.

Older code would send live payments to sandboxes, so it must not go on. Nobody can read or write `payments`, `jobs` and
`idempotency_keys` until their indexes are rebuilt, which takes some seconds for a million payments.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
oldest_code = "0014"

# Locked at once, in the order in which accepting a payment uses them, to avoid deadlocks.
_LOCK = "LOCK TABLE idempotency_keys, payments, jobs IN ACCESS EXCLUSIVE MODE;"

_UPGRADE = f"""
{_LOCK}
ALTER TABLE idempotency_keys ADD COLUMN mode TEXT NOT NULL DEFAULT 'test';
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey;
ALTER TABLE idempotency_keys ADD PRIMARY KEY (merchant_id, mode, route, key);
ALTER TABLE payments ADD COLUMN mode TEXT NOT NULL DEFAULT 'test'
    CONSTRAINT mode_known CHECK (mode IN ('live', 'test'));
DROP INDEX payments_by_merchant;
CREATE INDEX payments_by_merchant ON payments (merchant_id, mode, id);
DROP INDEX payments_live_reference;
CREATE UNIQUE INDEX payments_live_reference
    ON payments (merchant_id, aegis_same_name(reference), mode, reference_freed_by, reference_twin)
    NULLS NOT DISTINCT WHERE reference IS NOT NULL;
ALTER TABLE jobs ADD COLUMN mode TEXT NOT NULL DEFAULT 'test';
DROP INDEX jobs_by_merchant;
CREATE INDEX jobs_by_merchant ON jobs (merchant_id, mode, id);
ALTER TABLE attempts ADD COLUMN account TEXT;
ALTER TABLE api_keys ADD COLUMN scopes TEXT[] NOT NULL DEFAULT '{{}}';
"""

# Fails where a merchant used a key or a reference in both modes.
_DOWNGRADE = f"""
{_LOCK}
ALTER TABLE api_keys DROP COLUMN scopes;
ALTER TABLE attempts DROP COLUMN account;
DROP INDEX jobs_by_merchant;
ALTER TABLE jobs DROP COLUMN mode;
CREATE INDEX jobs_by_merchant ON jobs (merchant_id, id);
DROP INDEX payments_live_reference;
DROP INDEX payments_by_merchant;
ALTER TABLE payments DROP COLUMN mode;
CREATE INDEX payments_by_merchant ON payments (merchant_id, id);
CREATE UNIQUE INDEX payments_live_reference
    ON payments (merchant_id, aegis_same_name(reference), reference_freed_by, reference_twin)
    NULLS NOT DISTINCT WHERE reference IS NOT NULL;
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey;
ALTER TABLE idempotency_keys DROP COLUMN mode;
ALTER TABLE idempotency_keys ADD PRIMARY KEY (merchant_id, route, key);
"""


def upgrade() -> None:
    """Add the columns, and rebuild the indexes that a mode is part of now."""
    op.execute(_UPGRADE)


def downgrade() -> None:
    """Forget modes, accounts and scopes."""
    op.execute(_DOWNGRADE)
