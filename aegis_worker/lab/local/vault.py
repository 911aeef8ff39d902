"""The card vault of a local installation: its keys, its database and role, and its memory."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.postgres import EmbeddedPostgres
from aegis_worker.lab.embedded.valkey import EmbeddedMemory
from aegis_worker.vault.migrations import upgrade
from aegis_worker.vault_settings import DATABASE_URL, KEYS, KEYS_FILE, REDIS_URL

from .folder import Secrets

_NAME = "aegis_vault"


def new_keys() -> str:
    """A sealing key and the key of fingerprints, as AEGIS_VAULT_KEYS has them."""
    return ",".join(
        f"{name}:{base64.b64encode(os.urandom(32)).decode()}" for name in ("local1", "fingerprint")
    )


class LocalVault:
    """What `environ` sets of the vault is used as it is; the rest is made up here."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str], postgres: EmbeddedPostgres) -> None:
        self._environ, self._postgres = environ, postgres
        self.memory = EmbeddedMemory(data_dir)

    def start(self, kept: Secrets) -> dict[str, str]:
        """Start what is not given, bring its schema up to date, and say the settings. Raises StackFailed."""
        settings = {}
        if not self._environ.get(KEYS) and not self._environ.get(KEYS_FILE):
            kept.vault_keys = settings[KEYS] = kept.vault_keys or new_keys()
        settings[REDIS_URL] = self._environ.get(REDIS_URL) or self.memory.start()
        settings[DATABASE_URL] = self._environ.get(DATABASE_URL) or self._database(kept)
        upgrade(settings[DATABASE_URL])
        return settings

    def stop(self) -> None:
        """Stop what was started."""
        self.memory.stop()

    def _database(self, kept: Secrets) -> str:
        if self._postgres.pid is None and self._environ.get("DATABASE_URL"):
            raise StackFailed(
                f"DATABASE_URL is given, so the vault's database can't be made: set {DATABASE_URL} too"
            )
        kept.vault_password = kept.vault_password or secrets.token_urlsafe(24)
        return self._postgres.further_database(_NAME, kept.vault_password)
