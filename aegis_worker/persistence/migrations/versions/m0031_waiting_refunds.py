"""A refund may wait until its charge is settled, where the gateway refunds it only then: the status `waiting`.

Older code can't read such a row, so it must not go on.
"""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
oldest_code = "0031"

_NAMES = ("captures", "voids", "refunds")
_KNOWN = "ALTER TABLE {} DROP CONSTRAINT status_known, ADD CONSTRAINT status_known CHECK (status IN ({}))"
_BEFORE = "'requested', 'pending', 'succeeded', 'failed'"


def upgrade() -> None:
    """Allow the status."""
    for name in _NAMES:
        op.execute(_KNOWN.format(name, f"{_BEFORE}, 'waiting'"))


def downgrade() -> None:
    """Forbid it again. Fails while a refund waits."""
    for name in _NAMES:
        op.execute(_KNOWN.format(name, _BEFORE))
