"""Card vaults on the session's stores, and cards that belong to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from sqlalchemy import create_engine

from aegis_worker.domain.cards import Card
from aegis_worker.persistence.database import Database
from aegis_worker.sealing.keys import SealingKey, VaultKeys
from aegis_worker.vault.memory import Memory
from aegis_worker.vault.sealed_cards import CardSealer
from aegis_worker.vault.vault import Vault
from aegis_worker.wiring.stores import short_waits

OLD, NEW = SealingKey("2026a", b"a" * 32), SealingKey("2026b", b"b" * 32)
FINGERPRINT = SealingKey("fingerprint", b"f" * 32)
NEXT_YEAR = datetime.now(UTC).year + 1


@dataclass(frozen=True, slots=True)
class VaultStores:
    """Where the session's vault has its own database and its memory."""

    database_url: str
    redis_url: str


def keys(*sealing: SealingKey, fingerprint: SealingKey = FINGERPRINT) -> VaultKeys:
    """Keys of a vault; one old key if none is given."""
    return VaultKeys(sealing or (OLD,), fingerprint)


def vault_on(stores: VaultStores, made_of: VaultKeys | None = None) -> Vault:
    """A vault on these stores, as a process of its own would have it."""
    memory = Memory(short_waits(stores.redis_url, 2.0))
    database = Database(create_engine(stores.database_url, pool_size=4, max_overflow=0))
    return Vault(CardSealer(made_of or keys()), memory, database)


@contextmanager
def emptied(stores: VaultStores) -> Iterator[Vault]:
    """A vault on these stores, of which nothing is left in the end."""
    vault = vault_on(stores)
    try:
        yield vault
    finally:
        with vault.database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM cards")
        with Redis.from_url(stores.redis_url) as redis:
            redis.flushall()
        vault.close()


def a_card(number: str = "4242424242424242", cvc: str | None = "737", **more: Any) -> Card:
    """A card that is not expired."""
    return Card(number, more.pop("exp_month", 11), more.pop("exp_year", NEXT_YEAR), cvc, **more)


def as_given(card: Card) -> dict[str, Any]:
    """The card as it stands in a body."""
    given = {name: getattr(card, name) for name in card.__struct_fields__}
    return {name: value for name, value in given.items() if value is not None}
