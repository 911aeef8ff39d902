"""The tables check only the form of an operation's name, so that a new operation needs no migration.

Only `pipeline/operations` lists the operations. If a version of the code does not know a job's operation, the job goes to
review.

Nobody can read or write jobs and attempts while their rows are checked, which takes about a second for a million attempts.
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
oldest_code = "0003"

BY_FORM = """
LOCK TABLE jobs, attempts IN ACCESS EXCLUSIVE MODE;
ALTER TABLE jobs DROP CONSTRAINT operation_known,
    ADD CONSTRAINT operation_is_a_name CHECK (operation ~ '^[a-z][a-z_]{0,31}$');
ALTER TABLE attempts DROP CONSTRAINT operation_known,
    ADD CONSTRAINT operation_is_a_name CHECK (operation ~ '^[a-z][a-z_]{0,31}$');
"""


def upgrade() -> None:
    """Replace the lists of operations by a check of the name's form."""
    op.execute(BY_FORM)


def downgrade() -> None:
    """Restore the lists of operations. Fails if a job or attempt has an operation that is not on them."""
    op.execute(
        """
        ALTER TABLE jobs DROP CONSTRAINT operation_is_a_name, ADD CONSTRAINT operation_known
            CHECK (operation IN ('process', 'capture', 'void', 'refund', 'sync'));
        ALTER TABLE attempts DROP CONSTRAINT operation_is_a_name, ADD CONSTRAINT operation_known
            CHECK (operation IN ('initiate', 'authenticate', 'process', 'capture', 'void', 'refund'));
        """
    )
