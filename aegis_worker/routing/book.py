"""Which routing configuration holds now and what is paused, known to each process and at most two seconds old."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import structlog
from sqlalchemy import Connection

from aegis_worker.errors import InvalidRouting
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.looked_up import LookedUp
from aegis_worker.persistence.routing_versions import VERSIONS, Newest, newest

from .config import RoutingConfig, checked_routing

log = structlog.get_logger(__name__)

Source = Literal["file", "put"]

# How far back a version is looked for that this process can use.
_MOST_OLDER = 20


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
        self._from_file, self._gateways = from_file, frozenset(gateways)
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
        try:
            return self._table(found.version, found.document, found.paused)
        except InvalidRouting as error:
            unusable = f"version {found.version} can't be used here: {error}"
        log.error("routing version can't be used; an older one holds", version=found.version, why=unusable)
        for older in VERSIONS.history(connection, limit=_MOST_OLDER, before_version=found.version):
            try:
                table = self._table(older.version, older.document, found.paused)
            except InvalidRouting:
                continue
            return replace(table, unusable=unusable)
        return RoutingTable(self._from_file, 0, "file", found.paused, unusable)

    def _table(
        self, version: int, document: Mapping[str, Any] | None, paused: frozenset[str]
    ) -> RoutingTable:
        if document is None:
            return RoutingTable(self._from_file, version, "file", paused)
        return RoutingTable(checked_routing(document, self._gateways), version, "put", paused)
