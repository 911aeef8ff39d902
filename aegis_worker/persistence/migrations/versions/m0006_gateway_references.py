"""The payment to which each gateway reference belongs, because a reference must belong to at most one payment.

References have a table of their own instead of a unique index on payments or attempts, for two reasons: updates of those
tables must not write index entries (see m0003), and old rows may share a reference, so a unique index could not be created.
Of several old payments that share one, the table names the payment that was charged under it, or else the one that had it
first; the audit reports the others. Nothing is locked. Older code may keep running; the references that it writes are
entered when newer code next receives them.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
oldest_code = "0003"

TABLE = """
CREATE TABLE gateway_references (
    gateway TEXT NOT NULL,
    gateway_ref TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    PRIMARY KEY (gateway, gateway_ref)
);
"""
# Longer ones were never a gateway's, and an index takes no more than some 2,700 bytes.
KNOWN = """
INSERT INTO gateway_references (gateway, gateway_ref, payment_id)
SELECT DISTINCT ON (a.gateway, a.gateway_ref) a.gateway, a.gateway_ref, a.payment_id
FROM attempts a JOIN payments p ON p.id = a.payment_id
WHERE a.gateway_ref IS NOT NULL AND length(a.gateway_ref) <= 255
ORDER BY a.gateway, a.gateway_ref,
    (p.state IN ('SUCCESS', 'AUTHORIZED') AND p.gateway = a.gateway AND p.gateway_ref = a.gateway_ref) DESC, a.sent_at
"""


def upgrade() -> None:
    """Add the table and fill it with the references of existing attempts."""
    op.execute(TABLE)
    op.execute(KNOWN)


def downgrade() -> None:
    """Drop the table. Attempts keep their references."""
    op.execute("DROP TABLE gateway_references")
