"""What a payer has to do is kept sealed, in a table of its own, and is gone when the payment leaves REQUIRES_ACTION.

Older code may keep running. It still writes the address that the payer is sent to into the row and the event.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
oldest_code = "0003"

TABLE = """
CREATE TABLE action_secrets (
    payment_id TEXT PRIMARY KEY,
    sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL
);
"""

# Whoever moves the payment on, in whichever statement: its secrets go in the same commit.
ENDS = """
CREATE FUNCTION aegis_forget_action() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM action_secrets WHERE payment_id = OLD.id;
    RETURN NULL;
END $$;

CREATE TRIGGER payments_action_ended AFTER UPDATE OF state ON payments
    FOR EACH ROW WHEN (OLD.state = 'REQUIRES_ACTION' AND NEW.state <> 'REQUIRES_ACTION')
    EXECUTE FUNCTION aegis_forget_action();
"""


def upgrade() -> None:
    """Add the table and the trigger."""
    op.execute(TABLE)
    op.execute(ENDS)


def downgrade() -> None:
    """Drop both. Payers who were to act can't be told any more what to do."""
    op.execute("DROP TRIGGER payments_action_ended ON payments")
    op.execute("DROP FUNCTION aegis_forget_action()")
    op.execute("DROP TABLE action_secrets")
