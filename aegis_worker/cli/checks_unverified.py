"""`aegis doctor`'s check of gateways' webhooks that nobody has verified yet."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from aegis_worker.terminal.output import duration

from .checks import Check, ok, warn

_NAME = "gateways' webhooks"
_UNVERIFIED = """
SELECT gateway, count(*) AS waiting, extract(epoch FROM clock_timestamp() - min(received_at))::float8 AS oldest_s
FROM unverified_webhooks GROUP BY gateway ORDER BY gateway
"""
# A worker verifies one within seconds, unless the certificate can't be had.
_LATE_S = 600.0
_ADVICE = "a worker's log says why; its host must reach the gateway. Payments go on without, by asking"


def unverified(connection: Connection) -> Iterator[Check]:
    """Webhooks that were signed with a certificate and wait for a worker to fetch it. There are few, and none for long."""
    rows = connection.exec_driver_sql(_UNVERIFIED).all()
    late = [row for row in rows if row.oldest_s > _LATE_S]
    for row in late:
        seen = f"{row.waiting} of {row.gateway} are not verified, the oldest for {duration(row.oldest_s)}"
        yield warn(_NAME, seen, _ADVICE)
    if not late:
        yield ok(_NAME, "none waits to be verified for long")
