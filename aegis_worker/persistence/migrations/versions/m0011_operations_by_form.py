"""The tables don't name the operations any more, only the form of a name: a new one needs no migration.

Which operations there are is known in one place, `pipeline/operations`. A job of an operation that a version of the code
does not know goes to a person.

Jobs and attempts can't be written while their rows are checked: about a second for a million attempts.
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
    """See the module."""
    op.execute(BY_FORM)


def downgrade() -> None:
    """Back to the names; refused where there are others by now."""
    op.execute(
        """
        ALTER TABLE jobs DROP CONSTRAINT operation_is_a_name, ADD CONSTRAINT operation_known
            CHECK (operation IN ('process', 'capture', 'void', 'refund', 'sync'));
        ALTER TABLE attempts DROP CONSTRAINT operation_is_a_name, ADD CONSTRAINT operation_known
            CHECK (operation IN ('initiate', 'authenticate', 'process', 'capture', 'void', 'refund'));
        """
    )
