"""API keys: 256 random bits each, of which only the SHA-256 is kept.

A fast hash is enough: there is nothing to guess in 256 random bits. The look-up is by the hash, so that how long it takes
says nothing about a key.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aegis_worker.errors import InvalidApiKey, NotFound
from aegis_worker.ids import API_KEY, new_id

from .database import Database
from .tables import api_keys

_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown: `hint` is its beginning and its last four characters."""

    id: str
    merchant_id: str
    label: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None


def create_key(database: Database, merchant_id: str, label: str, *, live: bool = False) -> tuple[str, str]:
    """A new key for the merchant, as (id, key). The key is shown this once; what is kept can't give it back."""
    prefix = "aegis_live_" if live else "aegis_test_"
    key = prefix + secrets.token_urlsafe(32)
    key_id = new_id(API_KEY)
    row = {
        "id": key_id,
        "merchant_id": merchant_id,
        "label": label,
        "key_hash": key_hash(key),
        "hint": f"{prefix}…{key[-4:]}",
    }
    database.run(lambda connection: connection.execute(insert(api_keys).values(row).on_conflict_do_nothing()))
    return key_id, key


def authenticate(database: Database, key: str) -> str:
    """The merchant whose key this is. Raises InvalidApiKey for an unknown or revoked one, DatabaseUnavailable."""
    statement = select(api_keys.c.merchant_id).where(
        api_keys.c.key_hash == key_hash(key), api_keys.c.revoked_at.is_(None)
    )
    with database.read() as connection:
        merchant_id = connection.execute(statement).scalar_one_or_none()
    if merchant_id is None:
        raise InvalidApiKey("unknown or revoked API key")
    return str(merchant_id)


def list_keys(database: Database, merchant_id: str | None = None) -> Sequence[ApiKey]:
    """The newest 1000 keys of a merchant, or of all; revoked ones too."""
    columns = api_keys.c
    statement = select(
        columns.id, columns.merchant_id, columns.label, columns.hint, columns.created_at, columns.revoked_at
    )
    if merchant_id is not None:
        statement = statement.where(columns.merchant_id == merchant_id)
    with database.read() as connection:
        rows = connection.execute(statement.order_by(columns.id.desc()).limit(_MOST_LISTED)).mappings()
        return [ApiKey(**row) for row in rows]


def revoke_key(database: Database, key_id: str) -> None:
    """Refuse the key from now on; an API process that has just seen it takes it for at most 5 s more. Raises NotFound."""

    def work(connection: Connection) -> None:
        columns = api_keys.c
        changed = connection.execute(
            update(api_keys)
            .where(columns.id == key_id)
            .values(revoked_at=func.coalesce(columns.revoked_at, func.clock_timestamp()))
        )
        if changed.rowcount == 0:
            raise NotFound(f"no API key {key_id}")

    database.run(work)


def key_hash(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()
