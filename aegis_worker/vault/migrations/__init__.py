"""Migrations of the vault's own database, run by `aegis vault migrate`."""

from __future__ import annotations

from pathlib import Path

from aegis_worker.persistence import migrate


def upgrade(database_url: str) -> None:
    """Bring the vault's schema up to date. Raises DatabaseUnavailable."""
    migrate.upgrade(database_url, migrations=Path(__file__).parent)
