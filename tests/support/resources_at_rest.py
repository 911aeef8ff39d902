"""What an installation at rest holds open; the same must be reached again after load and faults (I9)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from aegis_worker.lab.crash.baseline import open_files
from support.installation import SOON_S, Installation, wait_until

# Pools fill by chance and logs are rotated, so a few more are no leak. A leak grows with payments or with faults.
_SLACK = 8


@dataclass(frozen=True, slots=True)
class Baseline:
    """Connections, files, leases and processes of an idle installation. Measure after a first load, which fills pools."""

    running: Installation
    figures: dict[str, int]

    @classmethod
    def of(cls, running: Installation) -> Baseline:
        """Measure now."""
        return cls(running, _figures(running))

    def reached_again(self, within_s: float = SOON_S) -> None:
        """Wait until nothing more than this is held. Fails after `within_s`."""
        wait_until(lambda: not self._above(), within_s, what=lambda: f"above {self.figures}: {self._above()}")

    def _above(self) -> dict[str, int]:
        now = _figures(self.running)
        exact = ("leases", "locks", "in transaction")
        return {
            name: value
            for name, value in now.items()
            if value > self.figures[name] + (0 if name in exact else _SLACK)
        }


def _figures(running: Installation) -> dict[str, int]:
    sessions = running.rows(
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'aegis%%'"
    )
    with running.redis() as client:
        clients, locks = len(client.client_list()), sum(1 for _ in client.scan_iter("aegis:lock:*"))
    processes = [psutil.Process(running.process.pid)]
    processes += processes[0].children(recursive=True)
    return {
        "PostgreSQL connections": len(sessions),
        "in transaction": sum((row["state"] or "").startswith("idle in transaction") for row in sessions),
        "Redis connections": clients,
        "locks": locks,
        "leases": running.rows("SELECT count(*) AS held FROM jobs WHERE status = 'running'")[0]["held"],
        "processes": len(processes),
        "files": sum(open_files(process, _gateway_ports(running)) for process in processes),
    }


def _gateway_ports(running: Installation) -> set[int]:
    return {urlsplit(sandbox["url"]).port or 0 for sandbox in running.ready["sandboxes"].values()}
