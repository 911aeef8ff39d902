"""I9: after load and faults, connections, open files and leases are what they were before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from aegis_worker.audit.violations import Violation
from aegis_worker.persistence.database import Database

PROGRAMS = ("web", "worker", "beat")

# Our own session is there before and after.
_SESSIONS = """
SELECT count(*) FILTER (WHERE application_name <> 'aegis-cli') AS connections,
    count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction
FROM pg_stat_activity WHERE application_name LIKE 'aegis-%%' AND datname = current_database()
"""
_HELD = "SELECT count(*) FROM jobs WHERE status = 'running'"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an installation at rest holds. `most_files`: of the process with the most, by program."""

    connections: int
    idle_in_transaction: int
    held_jobs: int
    processes: int
    most_files: dict[str, int]


def measure(database: Database, pids: dict[str, int]) -> Baseline:
    """Count now. `pids`: the main process of each program. Raises DatabaseUnavailable."""
    with database.read() as connection:
        sessions = connection.exec_driver_sql(_SESSIONS).one()
        held = connection.exec_driver_sql(_HELD).scalar_one()
    files = {name: _open_files(pids[name]) for name in PROGRAMS}
    return Baseline(
        connections=sessions.connections,
        idle_in_transaction=sessions.idle_in_transaction,
        held_jobs=held,
        processes=sum(len(counts) for counts in files.values()),
        most_files={name: max(counts, default=0) for name, counts in files.items()},
    )


def compare(before: Baseline, after: Baseline, *, call_threads: int) -> Iterator[Violation]:
    """What has grown for good. A process opens its connection to the database when it first needs one, and keeps a
    connection to a gateway for each of its call threads at most: so much more is no leak."""
    if after.connections > before.connections + after.processes:
        yield _grown("database connections", before.connections, after.connections)
    if after.idle_in_transaction:
        yield _grown("sessions idle in a transaction", before.idle_in_transaction, after.idle_in_transaction)
    if after.held_jobs:
        yield _grown("jobs held under a lease", before.held_jobs, after.held_jobs)
    for name, most in after.most_files.items():
        if most > before.most_files[name] + call_threads:
            yield _grown(f"open files of a process of {name}", before.most_files[name], most)


def _grown(what: str, before: int, after: int) -> Violation:
    return Violation("I9", "", f"more {what} than before", {"before": before, "after": after})


def _open_files(pid: int) -> list[int]:
    counts = []
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                counts.append(process.num_fds())
    return counts
