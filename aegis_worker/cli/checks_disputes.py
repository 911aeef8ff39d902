"""`aegis doctor`'s check of disputes: whether their deadlines are near."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from aegis_worker.terminal.output import duration

from .checks import Check, ok, warn

_COUNT_LIMIT = 10_000
_DISPUTES = """
SELECT count(*) AS waiting, extract(epoch FROM min(respond_by) - clock_timestamp())::float8 AS soonest_s
FROM (SELECT respond_by FROM disputes WHERE status IN ('warning', 'needs_response') ORDER BY respond_by LIMIT %(limit)s) d
"""
# Whoever gathers evidence needs days.
_ANSWER_WITHIN_S = 3 * 86_400.0


def disputes(connection: Connection) -> Iterator[Check]:
    """Disputes that wait for evidence, and the next deadline."""
    row = connection.exec_driver_sql(_DISPUTES, {"limit": _COUNT_LIMIT}).one()
    if not row.waiting:
        yield ok("disputes", "none waits for evidence")
        return
    seen = f"{row.waiting} wait for evidence"
    if row.soonest_s is not None:
        seen += (
            f", the next until in {duration(row.soonest_s)}"
            if row.soonest_s > 0
            else ", one is past its deadline"
        )
    if row.soonest_s is not None and row.soonest_s < _ANSWER_WITHIN_S:
        advice = "`aegis disputes list --to-answer` shows each; give the evidence at its gateway"
        yield warn("disputes", seen, advice)
    else:
        yield ok("disputes", seen)
