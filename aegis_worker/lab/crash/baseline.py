"""I9: after load and faults, connections, open files and leases are what they were before."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from aegis_worker.audit.violations import Violation
from aegis_worker.persistence.database import Database

PROGRAMS = ("web", "worker", "beat")

# So many more files are no leak, because connections to the database, to Redis and to the vault's stores, which several
# threads ask, are opened when they are first needed, and logs are rotated. A leak grows with payments or with faults.
_SLACK = 24

# Our own session is there before and after.
_SESSIONS = """
SELECT count(*) FILTER (WHERE application_name <> 'aegis-cli') AS connections,
    count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction
FROM pg_stat_activity WHERE application_name LIKE 'aegis-%%' AND datname = current_database()
"""
_HELD = "SELECT count(*) FROM jobs WHERE status = 'running'"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an installation at rest holds. `most_files`: of the process with the most, by program.

    Files leave out connections to gateways: their pools keep as many as were ever needed at once.
    """

    connections: int
    idle_in_transaction: int
    held_jobs: int
    processes: int
    most_files: dict[str, int]


def measure(database: Database, pids: dict[str, int], gateway_ports: Collection[int]) -> Baseline:
    """Count now. `pids`: the main process of each program. Raises DatabaseUnavailable."""
    with database.read() as connection:
        sessions = connection.exec_driver_sql(_SESSIONS).one()
        held = connection.exec_driver_sql(_HELD).scalar_one()
    files = {name: _open_files(pids[name], gateway_ports) for name in PROGRAMS}
    return Baseline(
        connections=sessions.connections,
        idle_in_transaction=sessions.idle_in_transaction,
        held_jobs=held,
        processes=sum(len(counts) for counts in files.values()),
        most_files={name: max(counts, default=0) for name, counts in files.items()},
    )


def compare(before: Baseline, after: Baseline) -> Iterator[Violation]:
    """What has grown for good. A process opens its connection to the database when it first needs one."""
    if after.connections > before.connections + after.processes:
        yield _grown("database connections", before.connections, after.connections)
    if after.idle_in_transaction:
        yield _grown("sessions idle in a transaction", before.idle_in_transaction, after.idle_in_transaction)
    if after.held_jobs:
        yield _grown("jobs held under a lease", before.held_jobs, after.held_jobs)
    for name, most in after.most_files.items():
        if most > before.most_files[name] + _SLACK:
            yield _grown(f"open files of a process of {name}", before.most_files[name], most)


def _grown(what: str, before: int, after: int) -> Violation:
    return Violation("I9", "", f"more {what} than before", {"before": before, "after": after})


def _open_files(pid: int, gateway_ports: Collection[int]) -> list[int]:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [open_files(process, gateway_ports) for process in (parent, *parent.children(recursive=True))]
    return []


def open_files(process: psutil.Process, gateway_ports: Collection[int]) -> int:
    """Without the connections to gateways; 0 for a process that has ended."""
    with suppress(psutil.NoSuchProcess):
        to_gateways = [
            connection
            for connection in process.net_connections("tcp")
            if connection.raddr and {connection.laddr.port, connection.raddr.port} & set(gateway_ports)
        ]
        return int(process.num_fds()) - len(to_gateways)
    return 0
