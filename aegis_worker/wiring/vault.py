"""Wires the card vault, where it is on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog
from redis import Redis
from sqlalchemy import Connection, text

from aegis_worker.domain.cards import Card
from aegis_worker.erasing import Destroy
from aegis_worker.errors import ConfigurationError, DatabaseUnavailable, VaultUnavailable
from aegis_worker.exchange.opening import OpensCard, no_vault
from aegis_worker.gateways.kit.flows import OpenCard
from aegis_worker.observability.core_dumps import never_dump
from aegis_worker.persistence.database import Database
from aegis_worker.settings import Settings
from aegis_worker.vault.memory import Memory
from aegis_worker.vault.sealed_cards import CardSealer
from aegis_worker.vault.vault import Vault, database_silent
from aegis_worker.vault_settings import DATABASE_URL, REDIS_URL

from .stores import short_waits

log = structlog.get_logger(__name__)

# A card is sealed while a merchant waits, and opened on one of the few threads that open all cards.
_REDIS_TIMEOUT_S = 0.5
_IS_PRODUCTS = text("SELECT to_regclass('payments') IS NOT NULL")
_IS_MIGRATED = text("SELECT to_regclass('cards') IS NOT NULL")


def built_vault(settings: Settings) -> Vault | None:
    """The vault of one process, which writes no core dump from then on; None where it is off. Opens no connection."""
    if settings.vault is None:
        return None
    never_dump()
    database = Database.connect(settings, application="vault", url=settings.vault.database_url)
    memory = Memory(short_waits(settings.vault.redis_url, _REDIS_TIMEOUT_S))
    return Vault(CardSealer(settings.vault.keys), memory, database)


def refuse_unfit_vault(vault: Vault | None, product: Redis) -> None:
    """For a process that starts: raises ConfigurationError where a store of the vault must not be used for cards.

    A store that does not answer is only logged: what needs it is refused until it does.
    """
    if vault is None:
        return
    try:
        unfit = [f"{REDIS_URL}: {why}" for why in vault.memory.why_unfit(product)]
        unfit += why_unfit_database(vault)
    except VaultUnavailable as error:
        log.warning(
            "a store of the card vault does not answer; cards are refused meanwhile", error=str(error)
        )
        return
    if unfit:
        raise ConfigurationError(f"the card vault can't be used: {'; '.join(unfit)} (docs/howto/vault.md)")


def opening(vault: Vault | None) -> OpensCard:
    """Opens cards of the vault for the calls that carry them."""
    if vault is None:
        return no_vault

    def open_card(asked: OpenCard) -> Card:
        return vault.open(asked.token, fingerprint=asked.fingerprint, with_code=asked.with_code)

    return open_card


def settling(vault: Vault | None) -> Callable[[Sequence[str]], None]:
    """Has the vault forget what payments that are settled need no more; where it can't, it does so by itself in time."""

    def settle(tokens: Sequence[str]) -> None:
        if vault is None:
            return
        try:
            vault.settled(tokens)
        except VaultUnavailable as error:
            log.warning("cards are not forgotten at once", payments=len(tokens), error=str(error))

    return settle


def why_unfit_database(vault: Vault) -> list[str]:
    """What keeps the vault's database from being used. Raises VaultUnavailable where it does not answer."""
    try:
        with vault.database.read() as connection:
            return _why_unfit_database(connection)
    except DatabaseUnavailable as error:
        raise database_silent(error) from None


def _why_unfit_database(connection: Connection) -> list[str]:
    if connection.execute(_IS_PRODUCTS).scalar():
        return [f"{DATABASE_URL}: it is AegisPay's own database, which holds payments"]
    if not connection.execute(_IS_MIGRATED).scalar():
        return [f"{DATABASE_URL}: it has no tables yet; run `aegis vault migrate`"]
    return []


def destroying(vault: Vault | None) -> Destroy:
    """Destroys a customer's cards; where the vault is off there are none."""
    return (lambda owner, customer_id: 0) if vault is None else vault.destroy_all


@contextmanager
def opened_destroying(settings: Settings) -> Iterator[Destroy]:
    """The same, of the vault of these settings, which is open in the block."""
    vault = built_vault(settings)
    try:
        yield destroying(vault)
    finally:
        if vault is not None:
            vault.close()
