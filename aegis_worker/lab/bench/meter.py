"""What a run costs: CPU time by part, durable commits, statements, write-ahead log, memory.

CPU time is that of each part's processes and of their children, those that have ended included: PostgreSQL's backends
come and go under its postmaster. The kernel counts it in steps of 10 ms.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg2

# Transactions that wrote, by their ids: exact at once, while pg_stat_database follows up to 10 s later.
_WRITTEN = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
# SET LOCAL is always sent along with the statement that it is for.
_STATEMENTS = """
SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
WHERE r.rolname = %s AND s.query NOT LIKE 'SET LOCAL%%'
"""
_AVAILABLE = """
SELECT count(*) FROM pg_available_extensions
WHERE name = 'pg_stat_statements' AND current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment. `statements` is None where PostgreSQL doesn't count them."""

    cpu_ms: Mapping[str, float]
    commits: int
    wal_bytes: int
    statements: int | None


class Meter:
    """Reads the counters of an installation.

    `parts`: the main process of each part. `cursor`: as superuser, in a database other than the installation's, with
    autocommit. What the bench itself asks is left out: of statements, those of `role` alone are counted, and of
    processes, `not_counted` are not: PostgreSQL's backends that serve the bench.
    """

    def __init__(
        self,
        parts: Mapping[str, list[int]],
        cursor: psycopg2.extensions.cursor,
        role: str,
        not_counted: Collection[int] = (),
    ) -> None:
        self._parts, self._cursor, self._role = parts, cursor, role
        self._not_counted = set(not_counted)
        cursor.execute(_AVAILABLE)
        self._counts_statements = bool(_row(cursor)[0])
        if self._counts_statements:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def read(self) -> Reading:
        """The counters now."""
        statements = None
        if self._counts_statements:
            self._cursor.execute(_STATEMENTS, (self._role,))
            statements = int(_row(self._cursor)[0])
        self._cursor.execute(_WRITTEN)
        commits, wal_bytes = _row(self._cursor)
        cpu_ms = {part: sum(map(_cpu_ms, self._processes(pids))) for part, pids in self._parts.items()}
        return Reading(cpu_ms, commits, int(wal_bytes), statements)

    def memory_mb(self) -> dict[str, float]:
        """The resident memory of the largest process of each part, in MB; shared memory counts in each that uses it.

        Where a part's main process has children, these do the work, and the largest of them is meant.
        """
        largest = {}
        for part, pids in self._parts.items():
            processes = self._processes(pids)
            children = [process for process in processes if process.pid not in pids]
            largest[part] = max(map(_rss_mb, children or processes), default=0.0)
        return largest

    def _processes(self, pids: Collection[int]) -> list[psutil.Process]:
        trees = [process for pid in pids for process in _tree(pid)]
        return [process for process in trees if process.pid not in self._not_counted]


def spent(
    before: Reading, after: Reading, count: int, unit: str, more_cpu_ms: Mapping[str, float]
) -> dict[str, Any]:
    """Figures of a run that did `count` units of work, each per unit. `more_cpu_ms`: of parts that ended meanwhile."""
    count = max(count, 1)
    parts = {part: (after.cpu_ms[part] - before.cpu_ms[part]) / count for part in after.cpu_ms}
    parts |= {part: cpu_ms / count for part, cpu_ms in more_cpu_ms.items()}
    figures: dict[str, Any] = {
        f"cpu_ms_per_{unit}": sum(parts.values()),
        "cpu_ms_by_part": parts,
        f"commits_per_{unit}": (after.commits - before.commits) / count,
        f"wal_bytes_per_{unit}": (after.wal_bytes - before.wal_bytes) / count,
    }
    if "gateway" in parts:
        # The gateway is no part of the product: what it costs says nothing of us, and differs from one gateway to another.
        figures[f"cpu_ms_per_{unit}_without_gateway"] = sum(parts.values()) - parts["gateway"]
    if before.statements is not None and after.statements is not None:
        figures[f"round_trips_per_{unit}"] = (after.statements - before.statements) / count
    return figures


def _tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _cpu_ms(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system) * 1000
    return 0.0


def _rss_mb(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return float(process.memory_info().rss) / 1e6
    return 0.0


def _row(cursor: psycopg2.extensions.cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return tuple(row)
