"""API keys: 256 random bits each, of which only the SHA-256 is kept.

A fast hash is enough, because nobody can guess 256 random bits. Keys are looked up by their hash, so that the time that a
look-up takes reveals nothing about a key.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aegis_worker.errors import InvalidApiKey, NotFound
from aegis_worker.ids import API_KEY, new_id

from . import audit_log
from .database import Database
from .tables import api_keys

Role = Literal["merchant", "operator"]

# The merchant of an operator's key, because operators see all merchants and decide for all of them.
EVERY_MERCHANT = "*"
_MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown: `hint` is its beginning and its last four characters."""

    id: str
    merchant_id: str
    role: Role
    label: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """The merchant or operator to whom a valid key belongs. `merchant_id` is `*` for an operator."""

    key_id: str
    role: Role
    merchant_id: str
    label: str

    @property
    def actor(self) -> str:
        """The name that the audit log gives to this key's holder."""
        return f"{self.key_id} ({self.label})" if self.label else self.key_id


def create_key(
    database: Database, merchant_id: str, label: str, *, live: bool = False, actor: str = "aegis"
) -> tuple[str, str]:
    """A new key for the merchant, as (id, key). The key is shown this once; what is kept can't give it back."""
    return _create(database, merchant_id, "merchant", label, live, actor)


def create_operator_key(
    database: Database, label: str, *, live: bool = False, actor: str = "aegis"
) -> tuple[str, str]:
    """A new key for an operator, as (id, key): good for /v1/ops, where it sees every merchant, and for nothing else."""
    return _create(database, EVERY_MERCHANT, "operator", label, live, actor)


def _create(
    database: Database, merchant_id: str, role: Role, label: str, live: bool, actor: str
) -> tuple[str, str]:
    prefix = "aegis_live_" if live else "aegis_test_"
    key = prefix + secrets.token_urlsafe(32)
    key_id = new_id(API_KEY)
    row = {
        "id": key_id,
        "merchant_id": merchant_id,
        "role": role,
        "label": label,
        "key_hash": key_hash(key),
        "hint": f"{prefix}…{key[-4:]}",
    }

    def work(connection: Connection) -> None:
        made = connection.execute(insert(api_keys).values(row).on_conflict_do_nothing())
        if made.rowcount:  # 0 if this is a repeat after a lost answer
            details = {"key_id": key_id, "role": role, "merchant_id": merchant_id, "label": label}
            audit_log.append(connection, actor=actor, action="api_key.created", details=details)

    database.run(work)
    return key_id, key


def authenticate(database: Database, key: str) -> Holder:
    """The holder of the key. Raises InvalidApiKey for an unknown or revoked key, and DatabaseUnavailable."""
    columns = api_keys.c
    statement = select(columns.id, columns.role, columns.merchant_id, columns.label).where(
        columns.key_hash == key_hash(key), columns.revoked_at.is_(None)
    )
    with database.read() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        raise InvalidApiKey("unknown or revoked API key")
    return Holder(row.id, row.role, row.merchant_id, row.label)


def list_keys(database: Database, merchant_id: str | None = None) -> Sequence[ApiKey]:
    """The newest 1000 keys of a merchant, or of all; revoked ones too."""
    columns = api_keys.c
    statement = select(
        columns.id,
        columns.merchant_id,
        columns.role,
        columns.label,
        columns.hint,
        columns.created_at,
        columns.revoked_at,
    )
    if merchant_id is not None:
        statement = statement.where(columns.merchant_id == merchant_id)
    with database.read() as connection:
        rows = connection.execute(statement.order_by(columns.id.desc()).limit(_MOST_LISTED)).mappings()
        return [ApiKey(**row) for row in rows]


def revoke_key(database: Database, key_id: str, *, actor: str = "aegis") -> None:
    """Revoke the key. An API process that has just seen it accepts it for at most 5 s more. Raises NotFound."""

    def work(connection: Connection) -> None:
        columns = api_keys.c
        is_known = connection.execute(select(columns.id).where(columns.id == key_id)).one_or_none()
        if is_known is None:
            raise NotFound(f"no API key {key_id}")
        changed = connection.execute(
            update(api_keys)
            .where(columns.id == key_id, columns.revoked_at.is_(None))
            .values(revoked_at=func.clock_timestamp())
        )
        if changed.rowcount:
            audit_log.append(connection, actor=actor, action="api_key.revoked", details={"key_id": key_id})

    database.run(work)


def key_hash(key: str) -> bytes:
    """The SHA-256 of a key, which is all that is kept of it."""
    return hashlib.sha256(key.encode()).digest()
