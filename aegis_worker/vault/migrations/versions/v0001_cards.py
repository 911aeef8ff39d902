"""Cards that are kept, sealed, and the requests that tokens were made for.

Revision ID: v0001
Revises:
"""

from __future__ import annotations

from alembic import op

revision = "v0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table. A row without `sealed` is of a card for a single payment, or of one that was destroyed."""
    op.execute("""
        CREATE TABLE cards (
            token text PRIMARY KEY,
            merchant_id text NOT NULL,
            mode text NOT NULL CHECK (mode IN ('live', 'test')),
            customer_id text,
            kept boolean NOT NULL,
            network text,
            last4 text CHECK (last4 ~ '^[0-9]{4}$'),
            exp_month smallint CHECK (exp_month BETWEEN 1 AND 12),
            exp_year smallint,
            fingerprint text,
            sealed bytea,
            key_id text,
            idempotency_key text,
            request_hmac bytea,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            destroyed_at timestamptz,
            UNIQUE (merchant_id, mode, idempotency_key),
            CHECK ((sealed IS NULL) = (key_id IS NULL)),
            CHECK ((sealed IS NOT NULL) = (kept AND destroyed_at IS NULL))
        );
        CREATE INDEX cards_customer ON cards (merchant_id, mode, customer_id)
            WHERE customer_id IS NOT NULL;
        CREATE INDEX cards_sealed ON cards (token) WHERE sealed IS NOT NULL;
        CREATE INDEX cards_requests ON cards (created_at) WHERE idempotency_key IS NOT NULL;
    """)


def downgrade() -> None:
    """Destroys every kept card."""
    op.execute("DROP TABLE cards")
