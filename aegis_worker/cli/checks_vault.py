"""`aegis doctor`'s checks of the card vault: its stores are its own and of the right kind, and no key is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redis import Redis

from aegis_worker.errors import VaultUnavailable
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.vault.vault import Vault
from aegis_worker.wiring.vault import why_unfit_database

from .checks import Check, fail, ok, warn

_MEMORY, _DATABASE, _KEYS, _TAKERS = "vault, Redis", "vault, PostgreSQL", "vault, keys", "vault, gateways"
_START = "start it, or correct the variable: until then cards are refused, and payments with a card of the vault wait"


def vault(vault: Vault | None, product: Redis) -> Iterator[Check]:
    """Nothing where the vault is off."""
    if vault is None:
        return
    yield from _memory(vault, product)
    yield from _database(vault)


def takers(has_vault: bool, gateways: Sequence[PaymentGateway]) -> Iterator[Check]:
    """Which gateways cards of the vault go to. Nothing where the vault is off."""
    able = [
        gateway.config.name for gateway in gateways if gateway.config.enabled and gateway.config.raw_cards
    ]
    if has_vault and not able:
        yield warn(
            _TAKERS,
            "no enabled gateway may be sent card numbers, so payments with a card of the vault are refused",
            "set raw_cards = true for a gateway that lets its account send them: docs/howto/vault.md",
        )
    elif has_vault:
        yield ok(_TAKERS, f"its cards go to {', '.join(able)}")


def _memory(vault: Vault, product: Redis) -> Iterator[Check]:
    try:
        unfit = vault.memory.why_unfit(product)
    except VaultUnavailable as error:
        yield fail(_MEMORY, str(error), f"{_START} (AEGIS_VAULT_REDIS_URL)")
        return
    for why in unfit:
        yield fail(
            _MEMORY,
            why,
            'give the vault a Redis of its own with `appendonly no` and `save ""`, and no replica: security codes must be '
            "in no file",
        )
    if not unfit:
        cards, codes = vault.memory.count()
        yield ok(_MEMORY, f"writes no files; holds {cards} cards and {codes} codes")


def _database(vault: Vault) -> Iterator[Check]:
    try:
        unfit = why_unfit_database(vault)
        kept = {} if unfit else vault.by_key()
    except VaultUnavailable as error:
        yield fail(_DATABASE, str(error), f"{_START} (AEGIS_VAULT_DATABASE_URL)")
        return
    if unfit:
        yield fail(_DATABASE, unfit[0], "see docs/howto/vault.md")
        return
    yield ok(_DATABASE, f"{sum(kept.values())} cards kept")
    ring = vault.sealer.key_ids
    if missing := sorted(kept.keys() - set(ring)):
        cards = sum(kept[key] for key in missing)
        yield fail(
            _KEYS,
            f"{cards} cards were sealed with {', '.join(missing)}, which AEGIS_VAULT_KEYS does not hold",
            "put the key back at the end of AEGIS_VAULT_KEYS: without it these cards can't be charged",
        )
        return
    older = [key for key in ring[1:] if kept.get(key)]
    needed = f"; {', '.join(older)} is still needed (`aegis vault reseal`)" if older else ""
    yield ok(_KEYS, f"{ring[0]} seals{needed}")
