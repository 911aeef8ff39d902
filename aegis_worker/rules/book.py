"""Which rules hold now, known to each process and at most two seconds old."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection

from aegis_worker.errors import InvalidRules
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.looked_up import LookedUp
from aegis_worker.persistence.rules_versions import VERSIONS, newest

from .config import checked_rules_document
from .rule import RulesConfig

log = structlog.get_logger(__name__)

# How far back a version is looked for that this process can use.
_MOST_OLDER = 20


@dataclass(frozen=True, slots=True)
class RulesTable:
    """The rules that hold. `version` 0: nothing was ever put, so config/rules.toml holds.

    `unusable`: why the newest version is not the one given here; None where it is.
    """

    config: RulesConfig
    version: int
    unusable: str | None = None


class RulesBook:
    """The rules of one process. Safe among threads.

    A version may have been put by code of another release that knows more: the newest one that this process can use holds
    then, and the log says so.
    """

    def __init__(
        self, database: Database, from_file: RulesConfig, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._from_file = from_file
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
            known = self._read(connection, version, document)
            self._newest = version
        return known

    def _read(self, connection: Connection, version: int, document: Mapping[str, Any] | None) -> RulesTable:
        try:
            return RulesTable(self._config(document), version)
        except InvalidRules as error:
            unusable = f"version {version} can't be used here: {error}"
        log.error("version of the rules can't be used; an older one holds", version=version, why=unusable)
        for older in VERSIONS.history(connection, limit=_MOST_OLDER, before_version=version):
            try:
                return RulesTable(self._config(older.document), older.version, unusable)
            except InvalidRules:
                continue
        return RulesTable(self._from_file, 0, unusable)

    def _config(self, document: Mapping[str, Any] | None) -> RulesConfig:
        return self._from_file if document is None else checked_rules_document(document)
