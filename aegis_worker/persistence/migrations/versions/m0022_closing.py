"""What a payer could still pay is cancelled at its gateway by attempts of the operation `close`.

Code that doesn't know the operation can't read the attempts of a payment that has one, so it must not go on.
"""

from __future__ import annotations

revision = "0022"
down_revision = "0021"
oldest_code = "0022"


def upgrade() -> None:
    """Nothing changes in the tables, which check only the form of an operation's name."""


def downgrade() -> None:
    """Nothing to undo; payments that have an attempt of `close` can't be read by the code before."""
