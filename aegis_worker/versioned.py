"""A configuration that operators put, in numbered versions, in place of a file of the installation.

The rules and the routing are one row (`Versioned`) each: whoever shows, changes or uses one goes through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import structlog
from sqlalchemy import Connection

from aegis_worker.errors import InvalidDocument
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.versions import Version, Versions

log = structlog.get_logger(__name__)

Config = TypeVar("Config")
Source = Literal["file", "put"]

# How far back a version is looked for that this process can use.
_MOST_OLDER = 20


@dataclass(frozen=True, slots=True)
class Versioned(Generic[Config]):
    """One kind of configuration. `document` describes a configuration, as its file and its versions do."""

    name: str
    versions: Versions
    document: Callable[[Config], dict[str, Any]]

    def put(
        self,
        database: Database,
        config: Config | None,
        *,
        actor: str,
        reason: str,
        expected_version: int | None = None,
    ) -> Version | None:
        """Have `config` hold from now on, or the file where it is None: the version that holds then.

        Where it holds already nothing is written, so that putting again what was put is harmless; None: the file holds,
        and nothing was ever put. Raises what `versions` raises where another version holds than the expected one;
        InvalidReason; DatabaseUnavailable.
        """
        return self.versions.put(
            database,
            None if config is None else self.document(config),
            actor=actor,
            reason=reason,
            expected_version=expected_version,
        )


@dataclass(frozen=True, slots=True)
class Usable(Generic[Config]):
    """What holds in one process. `version` 0: nothing was ever put, so the file holds.

    `unusable`: why the newest version is not the one given here; None where it is.
    """

    config: Config
    version: int
    source: Source
    unusable: str | None = None


@dataclass(frozen=True, slots=True)
class Installed(Generic[Config]):
    """A kind of configuration in one process: what its file says, and how it reads a document.

    `checked` raises InvalidDocument for a document that this process can't use.
    """

    kind: Versioned[Config]
    from_file: Config
    checked: Callable[[Any], Config]

    def usable(
        self, connection: Connection, version: int, document: Mapping[str, Any] | None
    ) -> Usable[Config]:
        """What holds where `version` is the newest: it, or the newest older one that this process can use.

        A version may have been put by code of another release, or on a machine with other gateways.
        """
        try:
            return self._usable(version, document)
        except InvalidDocument as error:
            unusable = f"version {version} can't be used here: {error}"
        log.error(
            "a version can't be used; an older one holds",
            configuration=self.kind.name,
            version=version,
            why=unusable,
        )
        older = self.kind.versions.history(connection, limit=_MOST_OLDER, before_version=version)
        for one in older:
            try:
                return replace(self._usable(one.version, one.document), unusable=unusable)
            except InvalidDocument:
                continue
        return Usable(self.from_file, 0, "file", unusable)

    def _usable(self, version: int, document: Mapping[str, Any] | None) -> Usable[Config]:
        if document is None:
            return Usable(self.from_file, version, "file")
        return Usable(self.checked(document), version, "put")
