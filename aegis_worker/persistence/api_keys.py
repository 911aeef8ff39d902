"""API keys: 256 random bits each, of which only the SHA-256 is kept.

A fast hash is enough, because nobody can guess 256 random bits. Keys are looked up by their hash, so that the time that a
look-up takes reveals nothing about a key.

A key's mode is a word in the key itself, `aegis_live_…` or `aegis_test_…`, so whoever sees one knows whether it moves real
money, and nothing stored can say otherwise. An operator's, `aegis_ops_…`, has none: operators see both.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aegis_worker.domain.modes import MODES, Mode
from aegis_worker.errors import DatabaseUnavailable, InvalidApiKey, NotFound
from aegis_worker.ids import API_KEY, new_id

from . import audit_log
from .database import Database
from .tables.access import api_keys

Role = Literal["merchant", "operator"]

# What a merchant's key may do only if it was made for it. Payments need none.
Scope = Literal["refunds:write", "tokens:write"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

# The merchant of an operator's key, because operators see all merchants and decide for all of them.
EVERY_MERCHANT = "*"
_MOST_LISTED = 1000
# A key in use costs a commit this often, and not one a request.
_NOTED_EACH = timedelta(minutes=5)
_OPERATORS = "aegis_ops_"
_MERCHANTS: dict[Mode, str] = {mode: f"aegis_{mode}_" for mode in MODES}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown: `hint` is its beginning and its last four characters. `mode`: None for an operator's.

    `last_used_at`: to five minutes; None where it was not used since this is noted.
    """

    id: str
    merchant_id: str
    role: Role
    mode: Mode | None
    scopes: Sequence[Scope]
    label: str
    hint: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """The merchant or operator to whom a valid key belongs. `merchant_id` is `*`, and `mode` None, for an operator."""

    key_id: str
    role: Role
    merchant_id: str
    label: str
    mode: Mode | None
    scopes: frozenset[Scope]

    @property
    def actor(self) -> str:
        """The name that the audit log gives to this key's holder."""
        return f"{self.key_id} ({self.label})" if self.label else self.key_id


def create_key(
    database: Database,
    merchant_id: str,
    label: str,
    *,
    mode: Mode = "test",
    scopes: Sequence[Scope] = (),
    actor: str = "aegis",
) -> tuple[str, str]:
    """A new key for the merchant, as (id, key). The key is shown this once; what is kept can't give it back."""
    row = {"merchant_id": merchant_id, "role": "merchant", "label": label, "scopes": sorted(set(scopes))}
    return _create(database, row, _MERCHANTS[mode], actor)


def create_operator_key(database: Database, label: str, *, actor: str = "aegis") -> tuple[str, str]:
    """A new key for an operator, as (id, key): good for /v1/ops, where it sees every merchant, and for nothing else."""
    row = {"merchant_id": EVERY_MERCHANT, "role": "operator", "label": label, "scopes": []}
    return _create(database, row, _OPERATORS, actor)


def _create(database: Database, told: dict[str, Any], prefix: str, actor: str) -> tuple[str, str]:
    key = prefix + secrets.token_urlsafe(32)
    key_id = new_id(API_KEY)
    hint = f"{prefix}…{key[-4:]}"
    row = {"id": key_id, "key_hash": key_hash(key), "hint": hint, **told}

    def work(connection: Connection) -> None:
        made = connection.execute(insert(api_keys).values(row).on_conflict_do_nothing())
        if made.rowcount:  # 0 if this is a repeat after a lost answer
            details = {"key_id": key_id, "mode": _mode_of(hint), **told}
            audit_log.append(connection, actor=actor, action="api_key.created", details=details)

    database.run(work)
    return key_id, key


def authenticate(database: Database, key: str) -> Holder:
    """The holder of the key. Raises InvalidApiKey for an unknown or revoked key, and DatabaseUnavailable."""
    columns = api_keys.c
    statement = select(
        columns.id,
        columns.role,
        columns.merchant_id,
        columns.label,
        columns.scopes,
        _is_used_anew().label("is_used_anew"),
    ).where(columns.key_hash == key_hash(key), columns.revoked_at.is_(None))
    with database.read() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        raise InvalidApiKey("unknown or revoked API key")
    if row.is_used_anew:
        # Where PostgreSQL takes no writes now, whoever only reads is served all the same.
        with suppress(DatabaseUnavailable):
            database.run(lambda tx: _note_use(tx, row.id))
    mode = None if row.role == "operator" else _mode_of(key)
    return Holder(row.id, row.role, row.merchant_id, row.label, mode, frozenset(row.scopes))


def _is_used_anew() -> ColumnElement[bool]:
    """Whether the last use of a key that is noted is so long ago that another is to be."""
    used_at = api_keys.c.last_used_at
    return used_at.is_(None) | (used_at < func.clock_timestamp() - _NOTED_EACH)


def _note_use(connection: Connection, key_id: str) -> None:
    noting = update(api_keys).where(api_keys.c.id == key_id, _is_used_anew())
    connection.execute(noting.values(last_used_at=func.clock_timestamp()))


def list_keys(database: Database, merchant_id: str | None = None) -> Sequence[ApiKey]:
    """The newest 1000 keys of a merchant, or of all; revoked ones too."""
    columns = api_keys.c
    statement = select(
        columns.id,
        columns.merchant_id,
        columns.role,
        columns.scopes,
        columns.label,
        columns.hint,
        columns.created_at,
        columns.revoked_at,
        columns.last_used_at,
    )
    if merchant_id is not None:
        statement = statement.where(columns.merchant_id == merchant_id)
    with database.read() as connection:
        rows = connection.execute(statement.order_by(columns.id.desc()).limit(_MOST_LISTED)).mappings()
        return [
            ApiKey(**row, mode=None if row["role"] == "operator" else _mode_of(row["hint"])) for row in rows
        ]


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


def _mode_of(key: str) -> Mode | None:
    """The mode that a merchant's key, or its hint, begins with."""
    return next((mode for mode, prefix in _MERCHANTS.items() if key.startswith(prefix)), None)


def key_hash(key: str) -> bytes:
    """The SHA-256 of a key, which is all that is kept of it."""
    return hashlib.sha256(key.encode()).digest()
