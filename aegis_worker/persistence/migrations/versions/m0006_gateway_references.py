"""Whose a gateway's reference is: one payment's at most.

A table of its own, and no unique index on payments or attempts: those are updated without touching any index while a
payment is worked on, and old rows may share a reference, which a unique index would not let stand. Of payments that do,
one gets it here, that which stands on the charge or else had it first; the audit reports the others. Nothing is locked:
code from before this goes on, and what it writes meanwhile is entered when new code hears of it again.
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
    """Add the table, with what is known so far."""
    op.execute(TABLE)
    op.execute(KNOWN)


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP TABLE gateway_references")
