"""Which routing configuration holds now and what is paused, known to each process and at most two seconds old."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from aegis_worker.persistence.database import Database
from aegis_worker.persistence.looked_up import LookedUp
from aegis_worker.persistence.routing_versions import Newest, newest
from aegis_worker.versioned import Source

from .changes import installed_routing
from .config import RoutingConfig


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """What routing goes by. `version` 0: nothing was ever put, so config/routing.toml (`source` "file") holds.

    `unusable`: why the newest version is not the one given here; None where it is.
    """

    config: RoutingConfig
    version: int
    source: Source
    paused: frozenset[str]
    unusable: str | None = None


class RoutingBook:
    """The routing table of one process. Safe among threads.

    A version may name a gateway that this process doesn't know: config/gateways.toml is read at the start, on each
    machine for itself. The newest version that it can use holds then, and the log says so.
    """

    def __init__(
        self,
        database: Database,
        from_file: RoutingConfig,
        gateways: Collection[str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._installed = installed_routing(from_file, frozenset(gateways))
        self._known = LookedUp(database, self._look, clock=clock)
        self._newest = -1

    def current(self) -> RoutingTable:
        """The table, looked up in PostgreSQL at most every two seconds; the last known one while that is away.

        Raises DatabaseUnavailable where it was never known.
        """
        return self._known.current()

    def _look(self, connection: Connection, known: RoutingTable | None) -> RoutingTable:
        found = newest(connection, self._newest)
        if known is None or found.version != self._newest:
            known = self._read(connection, found)
            self._newest = found.version
        elif found.paused != known.paused:
            known = replace(known, paused=found.paused)
        return known

    def _read(self, connection: Connection, found: Newest) -> RoutingTable:
        held = self._installed.usable(connection, found.version, found.document)
        return RoutingTable(held.config, held.version, held.source, found.paused, held.unusable)
