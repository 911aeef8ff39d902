"""Which rules hold now, known to each process and at most two seconds old."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection

from aegis_worker.persistence.database import Database
from aegis_worker.persistence.looked_up import LookedUp
from aegis_worker.persistence.rules_versions import newest
from aegis_worker.versioned import Usable

from .changes import installed_rules
from .rule import RulesConfig

RulesTable = Usable[RulesConfig]


class RulesBook:
    """The rules of one process. Safe among threads.

    A version may have been put by code of another release that knows more: the newest one that this process can use holds
    then, and the log says so.
    """

    def __init__(
        self, database: Database, from_file: RulesConfig, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._installed = installed_rules(from_file)
        self._known = LookedUp(database, self._look, clock=clock)
        self._newest = -1

    def current(self) -> RulesTable:
        """The rules, looked up in PostgreSQL at most every two seconds; the last known ones while that is away.

        Raises DatabaseUnavailable where they were never known.
        """
        return self._known.current()

    def config(self) -> RulesConfig:
        """As `current`."""
        return self._known.current().config

    def _look(self, connection: Connection, known: RulesTable | None) -> RulesTable:
        version, document = newest(connection, self._newest)
        if known is None or version != self._newest:
            known = self._installed.usable(connection, version, document)
            self._newest = version
        return known
