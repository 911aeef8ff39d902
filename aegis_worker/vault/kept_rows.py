"""The rows of the vault's own database: cards that are kept, as ciphertext, and which request each token was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.cards import VaultedCard
from aegis_worker.domain.modes import Owner

_SHOWN = "token, network, last4, exp_month, exp_year, fingerprint, kept, created_at"

_INSERT = """
INSERT INTO cards (token, merchant_id, mode, customer_id, kept, network, last4, exp_month, exp_year, fingerprint,
    sealed, key_id, idempotency_key, request_hmac)
VALUES (%(token)s, %(merchant_id)s, %(mode)s, %(customer_id)s, %(kept)s, %(network)s, %(last4)s, %(exp_month)s,
    %(exp_year)s, %(fingerprint)s, %(sealed)s, %(key_id)s, %(idempotency_key)s, %(request_hmac)s)
ON CONFLICT DO NOTHING
"""
_MADE = f"""
SELECT {_SHOWN}, request_hmac, destroyed_at FROM cards
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND idempotency_key = %(idempotency_key)s
"""
_FOUND = f"""
SELECT {_SHOWN} FROM cards
WHERE token = ANY(%(tokens)s) AND merchant_id = %(merchant_id)s AND mode = %(mode)s AND kept AND destroyed_at IS NULL
"""
_OF_CUSTOMER = f"""
SELECT {_SHOWN} FROM cards
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND customer_id = %(customer_id)s AND kept
    AND destroyed_at IS NULL
ORDER BY token DESC LIMIT %(most)s
"""
_SEALED = """
SELECT merchant_id, mode, sealed FROM cards WHERE token = %(token)s AND sealed IS NOT NULL
"""
# Of a card that is destroyed its row stays, so that asking for it again is answered alike; it says nothing of the card.
_EMPTY = """
UPDATE cards SET destroyed_at = coalesce(destroyed_at, clock_timestamp()), sealed = NULL, key_id = NULL, network = NULL,
    last4 = NULL, exp_month = NULL, exp_year = NULL, fingerprint = NULL, customer_id = NULL
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
"""
_DESTROY = _EMPTY + " AND token = %(token)s RETURNING token"
_DESTROY_ALL = _EMPTY + " AND customer_id = %(customer_id)s AND destroyed_at IS NULL RETURNING token"
_OUTDATED = """
SELECT token, merchant_id, mode, sealed FROM cards WHERE sealed IS NOT NULL AND key_id <> %(newest)s AND token > %(after)s
ORDER BY token LIMIT %(most)s
"""
# Only what is still as it was read: a card that was destroyed meanwhile stays so.
_RESEAL = """
UPDATE cards SET sealed = %(resealed)s, key_id = %(newest)s WHERE token = %(token)s AND sealed = %(sealed)s
"""
_BY_KEY = (
    "SELECT key_id, count(*) AS cards FROM cards WHERE sealed IS NOT NULL GROUP BY key_id ORDER BY key_id"
)
_FORGET_REQUESTS = """
WITH old AS (
    SELECT token FROM cards WHERE idempotency_key IS NOT NULL AND created_at < now() - make_interval(hours => %(hours)s)
    LIMIT %(most)s FOR UPDATE SKIP LOCKED
), dropped AS (
    DELETE FROM cards USING old WHERE cards.token = old.token AND NOT kept RETURNING cards.token
), emptied AS (
    UPDATE cards SET idempotency_key = NULL, request_hmac = NULL FROM old WHERE cards.token = old.token AND kept
    RETURNING cards.token
) SELECT (SELECT count(*) FROM dropped) + (SELECT count(*) FROM emptied)
"""
MOST_OF_A_CUSTOMER = 100


@dataclass(frozen=True, slots=True)
class Made:
    """A token and when it was made. `request_hmac`: of the request that it was made for."""

    card: VaultedCard
    created_at: datetime
    request_hmac: bytes = b""
    is_destroyed: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """A kept card as it is stored, and whose it is."""

    owner: Owner
    sealed: bytes
    token: str


def insert(connection: Connection, owner: Owner, card: VaultedCard, row: Mapping[str, Any]) -> Made:
    """Write a token under its idempotency key; what was made under the key, which is this very one or an earlier one."""
    shown = {name: getattr(card, name) for name in card.__struct_fields__}
    connection.exec_driver_sql(_INSERT, {**owner._asdict(), **shown, **row})
    made = connection.exec_driver_sql(_MADE, {**owner._asdict(), **row}).one()
    return Made(_card(made), made.created_at, bytes(made.request_hmac), made.destroyed_at is not None)


def find(connection: Connection, owner: Owner, tokens: Sequence[str]) -> dict[str, Made]:
    """The owner's kept cards among these tokens."""
    rows = connection.exec_driver_sql(_FOUND, {**owner._asdict(), "tokens": list(tokens)})
    return {row.token: Made(_card(row), row.created_at) for row in rows}


def of_customer(connection: Connection, owner: Owner, customer_id: str) -> list[Made]:
    """A customer's newest kept cards, at most 100."""
    values = {**owner._asdict(), "customer_id": customer_id, "most": MOST_OF_A_CUSTOMER}
    return [Made(_card(row), row.created_at) for row in connection.exec_driver_sql(_OF_CUSTOMER, values)]


def sealed_of(connection: Connection, token: str) -> Sealed | None:
    """A kept card as it is stored; None where it is not there, or destroyed."""
    row = connection.exec_driver_sql(_SEALED, {"token": token}).one_or_none()
    return None if row is None else Sealed(Owner(row.merchant_id, row.mode), bytes(row.sealed), token)


def destroy(connection: Connection, owner: Owner, token: str) -> bool:
    """Empty the row of a token; whether the owner has one, which may have been destroyed before."""
    return bool(connection.exec_driver_sql(_DESTROY, {**owner._asdict(), "token": token}).rowcount)


def destroy_all(connection: Connection, owner: Owner, customer_id: str) -> list[str]:
    """Empty the rows of a customer's cards; their tokens."""
    rows = connection.exec_driver_sql(_DESTROY_ALL, {**owner._asdict(), "customer_id": customer_id})
    return [row.token for row in rows]


def outdated(connection: Connection, newest: str, *, after: str, most: int) -> list[Sealed]:
    """Cards sealed with another key than the newest, by their tokens."""
    rows = connection.exec_driver_sql(_OUTDATED, {"newest": newest, "after": after, "most": most})
    return [Sealed(Owner(row.merchant_id, row.mode), bytes(row.sealed), row.token) for row in rows]


def reseal(connection: Connection, resealed: Sequence[tuple[Sealed, bytes]], newest: str) -> int:
    """Write cards anew that are still as they were read; how many."""
    return sum(
        connection.exec_driver_sql(
            _RESEAL, {"token": card.token, "sealed": card.sealed, "resealed": new, "newest": newest}
        ).rowcount
        for card, new in resealed
    )


def by_key(connection: Connection) -> dict[str, int]:
    """By the key's id, how many cards it sealed."""
    return {row.key_id: row.cards for row in connection.exec_driver_sql(_BY_KEY)}


def forget_requests(connection: Connection, *, hours: int, most: int) -> int:
    """Forget the idempotency keys of older requests, and whole rows where no card is kept; how many."""
    return int(connection.exec_driver_sql(_FORGET_REQUESTS, {"hours": hours, "most": most}).scalar_one())


def _card(row: Any) -> VaultedCard:
    return VaultedCard(
        row.token,
        row.network,
        row.last4 or "",
        row.exp_month or 0,
        row.exp_year or 0,
        row.fingerprint or "",
        row.kept,
    )
