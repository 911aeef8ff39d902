"""Read models of payments: what was told of them waits in `projection_changes` until the summaries by hour have it.

Older code may keep running. It notes no changes of the events that it delivers, so summaries lack them until they are made
anew (`aegis projections rebuild`).
"""

from __future__ import annotations

from alembic import op

revision = "0045"
down_revision = "0044"
oldest_code = "0036"


def upgrade() -> None:
    """Make the tables. Payments of before are taken in by `aegis projections rebuild`."""
    op.execute(
        """
        CREATE TABLE projection_changes (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            payment_id TEXT NOT NULL,
            told_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
        ) WITH (autovacuum_vacuum_scale_factor = 0.02);
        CREATE TABLE payment_facts (
            payment_id TEXT PRIMARY KEY,
            merchant_id TEXT NOT NULL,
            mode TEXT NOT NULL,
            hour TIMESTAMPTZ NOT NULL,
            gateway TEXT NOT NULL,
            method TEXT NOT NULL,
            currency TEXT NOT NULL,
            experiment TEXT NOT NULL,
            arm TEXT NOT NULL,
            state TEXT NOT NULL,
            amount_minor BIGINT NOT NULL,
            captured_minor BIGINT NOT NULL,
            refunded_minor BIGINT NOT NULL,
            charged_back_minor BIGINT NOT NULL,
            error_code TEXT,
            last4 TEXT,
            customer_id TEXT,
            metadata JSONB
        ) WITH (fillfactor = 80);
        CREATE INDEX payment_facts_by_customer ON payment_facts (merchant_id, mode, customer_id, payment_id)
            WHERE customer_id IS NOT NULL;
        CREATE INDEX payment_facts_by_last4 ON payment_facts (last4, payment_id) WHERE last4 IS NOT NULL;
        CREATE INDEX payment_facts_by_error ON payment_facts (error_code, payment_id) WHERE error_code IS NOT NULL;
        CREATE INDEX payment_facts_by_metadata ON payment_facts USING gin (metadata jsonb_path_ops)
            WHERE metadata IS NOT NULL;
        CREATE TABLE payment_summaries (
            merchant_id TEXT NOT NULL,
            mode TEXT NOT NULL,
            hour TIMESTAMPTZ NOT NULL,
            gateway TEXT NOT NULL,
            method TEXT NOT NULL,
            currency TEXT NOT NULL,
            experiment TEXT NOT NULL,
            arm TEXT NOT NULL,
            state TEXT NOT NULL,
            payments BIGINT NOT NULL,
            amount_minor NUMERIC NOT NULL,
            captured_minor NUMERIC NOT NULL,
            refunded_minor NUMERIC NOT NULL,
            charged_back_minor NUMERIC NOT NULL,
            PRIMARY KEY (merchant_id, mode, hour, gateway, method, currency, experiment, arm, state)
        ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
        CREATE TABLE projection_rebuilds (
            name TEXT PRIMARY KEY,
            done_to TEXT,
            begun_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
            finished_at TIMESTAMPTZ
        )
        """
    )


def downgrade() -> None:
    """Drop the tables: nothing but the read models is lost."""
    op.execute("DROP TABLE projection_rebuilds, payment_summaries, payment_facts, projection_changes")
