"""When payments ended, as the database has it: by the clock of this machine, as the load's times are."""

from __future__ import annotations

from collections import Counter

import psycopg2

_ENDS = """
SELECT p.id, extract(epoch FROM j.finished_at)::float8, p.state
FROM idempotency_keys k JOIN payments p ON p.id = k.payment_id JOIN jobs j ON j.id = k.job_id
WHERE k.merchant_id = %s AND k.route = 'POST /v1/payments' AND k.key LIKE %s
"""


def ends_of(
    cursor: psycopg2.extensions.cursor, merchant_id: str, key: str, expected: int
) -> tuple[dict[str, float], str | None]:
    """When each charged payment under keys that begin with `key` ended, in seconds since the epoch; and what is wrong.

    Every payment of a bench is to end SUCCESS, and as many as were accepted.
    """
    cursor.execute(_ENDS, (merchant_id, f"{key}-%"))
    rows = cursor.fetchall()
    ends = {
        payment_id: ended for payment_id, ended, state in rows if ended is not None and state == "SUCCESS"
    }
    if len(rows) == len(ends) == expected:
        return ends, None
    states = ", ".join(f"{count} {state}" for state, count in sorted(Counter(row[2] for row in rows).items()))
    return ends, f"of {expected} accepted payments {len(ends)} were charged ({states or 'there are none'})"
