"""What payers bring back from an action is kept, sealed, until the gateway's answer to it is settled.

Code that doesn't know the operation `confirm` can't read the attempts of a payment that has one, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
oldest_code = "0017"

TABLE = """
CREATE TABLE confirms (
    payment_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest BYTEA NOT NULL,
    sealed BYTEA,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
    PRIMARY KEY (payment_id, number),
    CONSTRAINT number_in_range CHECK (number BETWEEN 1 AND 20)
);
CREATE INDEX confirms_open ON confirms (payment_id) WHERE sealed IS NOT NULL;
"""

FORGETS = """
CREATE OR REPLACE FUNCTION aegis_forget_action() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM action_secrets WHERE payment_id = OLD.id;
    UPDATE confirms SET sealed = NULL WHERE payment_id = OLD.id AND sealed IS NOT NULL;
    RETURN NULL;
END $$;
"""

FORGOT = """
CREATE OR REPLACE FUNCTION aegis_forget_action() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM action_secrets WHERE payment_id = OLD.id;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Add the table; what ends the action erases what was brought back, too."""
    op.execute(TABLE)
    op.execute(FORGETS)


def downgrade() -> None:
    """Drop the table. What payers brought back and no gateway has settled is lost; gateways are asked all the same."""
    op.execute(FORGOT)
    op.execute("DROP TABLE confirms")
