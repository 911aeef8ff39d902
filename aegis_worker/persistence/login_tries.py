"""How often somebody tried to log in lately, by name, by address, and by both together.

What is tried is counted before it is looked at, so that many tries at once are no more than as many one after another.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from sqlalchemy import Connection

# Tries within the window, by kind. Of one name from one address few. From one address more, because an office shares
# one. Of one name from everywhere yet more: whoever knows a name could otherwise keep its owner out at no cost.
LIMITS = {"address": 30, "name": 100, "pair": 5}
WINDOW_S = 900
_BUCKETS = 65_536

_COUNT = """
INSERT INTO login_tries AS t (kind, bucket, tries, ends_at)
VALUES (%(kind)s, %(bucket)s, 1, clock_timestamp() + make_interval(secs => %(window_s)s))
ON CONFLICT (kind, bucket) DO UPDATE SET
    tries = CASE WHEN t.ends_at <= clock_timestamp() THEN 1 ELSE least(t.tries + 1, 1000000) END,
    ends_at = CASE WHEN t.ends_at <= clock_timestamp() THEN excluded.ends_at ELSE t.ends_at END
RETURNING tries
"""
_FORGIVE = """
UPDATE login_tries SET tries = CASE kind WHEN 'pair' THEN 0 ELSE greatest(tries - 1, 0) END
WHERE kind = %(kind)s AND bucket = %(bucket)s
"""


def places(secret: str, name: str, address: str) -> Sequence[tuple[str, int]]:
    """Where a try is counted, in the order in which all lock them."""
    of_kind = {"address": address, "pair": f"{len(name)} {name} {address}", "name": name}
    return [(kind, _bucket(secret, kind, value)) for kind, value in of_kind.items()]


def count(connection: Connection, counted_at: Sequence[tuple[str, int]]) -> bool:
    """Count a try; whether it may be made. A window begins with the first try and is not made longer by others.

    What is over one limit is not counted further: an address that tried too often can't use up the tries of a name.
    """
    for kind, bucket in counted_at:
        values = {"kind": kind, "bucket": bucket, "window_s": WINDOW_S}
        if connection.exec_driver_sql(_COUNT, values).scalar_one() > LIMITS[kind]:
            return False
    return True


def forgive(connection: Connection, counted_at: Sequence[tuple[str, int]]) -> None:
    """Take back a try that succeeded, and what went wrong before it with this name from this address."""
    for kind, bucket in counted_at:
        connection.exec_driver_sql(_FORGIVE, {"kind": kind, "bucket": bucket})


def _bucket(secret: str, kind: str, value: str) -> int:
    # Keyed, so that nobody outside can work out another name or address that shares a bucket with one.
    digest = hmac.digest(secret.encode(), f"login tries\0{kind}\0{value}".encode(), hashlib.sha256)
    return int.from_bytes(digest[:2], "big") % _BUCKETS
