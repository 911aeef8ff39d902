"""The settings of the card vault. It is off unless its keys are set (design D8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aegis_worker.errors import ConfigurationError
from aegis_worker.sealing.keys import VaultKeys, vault_keys
from aegis_worker.store_urls import checked_database_url, checked_redis_url

KEYS, KEYS_FILE = "AEGIS_VAULT_KEYS", "AEGIS_VAULT_KEYS_FILE"
DATABASE_URL, REDIS_URL = "AEGIS_VAULT_DATABASE_URL", "AEGIS_VAULT_REDIS_URL"
VARIABLES = frozenset({KEYS, KEYS_FILE, DATABASE_URL, REDIS_URL})
_LONGEST_FILE = 65_536


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """The vault's keys, and its own two stores. None of it is shown by `repr`."""

    keys: VaultKeys = field(repr=False)
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)


def load_vault_settings(
    environ: Mapping[str, str], *, database_url: str, redis_url: str
) -> VaultSettings | None:
    """The vault's settings; None where it is off. Raises ConfigurationError, also where its stores are the product's.

    `database_url`, `redis_url`: the product's own, in which no card may be.
    """
    keys = _keys(environ)
    if keys is None:
        if any(environ.get(name) for name in (DATABASE_URL, REDIS_URL)):
            raise ConfigurationError(
                f"the card vault has a store, and no keys: set {KEYS} or {KEYS_FILE} to turn it on, or take away "
                f"{DATABASE_URL} and {REDIS_URL}"
            )
        return None
    for name, what in ((DATABASE_URL, "a PostgreSQL database"), (REDIS_URL, "a Redis without files")):
        if not environ.get(name):
            raise ConfigurationError(f"the card vault has keys, and no {name}: it needs {what} of its own")
    vault = VaultSettings(
        keys,
        checked_database_url(environ[DATABASE_URL], environ, DATABASE_URL),
        checked_redis_url(environ[REDIS_URL], REDIS_URL),
    )
    _check_apart(vault, database_url, redis_url)
    return vault


def _keys(environ: Mapping[str, str]) -> VaultKeys | None:
    given, path = environ.get(KEYS, ""), environ.get(KEYS_FILE, "")
    if given and path:
        raise ConfigurationError(f"both {KEYS} and {KEYS_FILE} are set: take one away")
    if path:
        try:
            with Path(path).open(encoding="ascii") as file:
                given = file.read(_LONGEST_FILE)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigurationError(f"{KEYS_FILE} can't be read: {why}") from None
        if not given.strip():
            raise ConfigurationError(f"{KEYS_FILE} names an empty file")
    return vault_keys(given) if given else None


def _check_apart(vault: VaultSettings, database_url: str, redis_url: str) -> None:
    """By what the URLs say; that two names lead to one server shows only once they are asked (`vault.memory`)."""
    ours, theirs = urlsplit(vault.database_url), urlsplit(database_url)
    if (ours.hostname, ours.port or 5432) == (theirs.hostname, theirs.port or 5432):
        if ours.path == theirs.path:
            raise ConfigurationError(
                f"{DATABASE_URL} is the database of DATABASE_URL: the vault needs its own"
            )
        if ours.username == theirs.username:
            raise ConfigurationError(f"{DATABASE_URL} has the role of DATABASE_URL: the vault needs its own")
    memory, product = urlsplit(vault.redis_url), urlsplit(redis_url)
    if (memory.hostname, memory.port or 6379) == (product.hostname, product.port or 6379):
        raise ConfigurationError(f"{REDIS_URL} is the Redis of REDIS_URL: the vault needs one of its own")
