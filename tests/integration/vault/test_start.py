"""A process that starts is refused where a store of the vault must not be used, and only warned where one is silent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis
from structlog.testing import capture_logs
from support.vaults import VaultStores, vault_on

from aegis_worker.errors import ConfigurationError
from aegis_worker.vault.vault import Vault
from aegis_worker.wiring.vault import refuse_unfit_vault


@pytest.fixture
def product(redis_url: str) -> Iterator[Redis]:
    """The Redis of REDIS_URL."""
    with Redis.from_url(redis_url) as redis:
        yield redis


def test_with_stores_of_its_own_it_starts_and_without_a_vault_too(vault: Vault, product: Redis) -> None:
    with capture_logs() as logged:
        refuse_unfit_vault(vault, product)
        refuse_unfit_vault(None, product)
    assert logged == []


def test_with_the_products_stores_it_does_not_start(
    vault_stores: VaultStores, database_url: str, redis_url: str, product: Redis
) -> None:
    shared = {
        VaultStores(
            vault_stores.database_url, redis_url
        ): "AEGIS_VAULT_REDIS_URL: it is the Redis of REDIS_URL",
        VaultStores(
            database_url, vault_stores.redis_url
        ): "AEGIS_VAULT_DATABASE_URL: it is AegisPay's own database",
    }
    for stores, said in shared.items():
        vault = vault_on(stores)
        with pytest.raises(ConfigurationError, match=said):
            refuse_unfit_vault(vault, product)
        vault.close()


def test_while_a_store_is_silent_it_starts_and_says_so(vault_stores: VaultStores, product: Redis) -> None:
    vault = vault_on(VaultStores(vault_stores.database_url, "redis://127.0.0.1:1/0"))
    with capture_logs() as logged:
        refuse_unfit_vault(vault, product)
    assert [line["log_level"] for line in logged] == ["warning"]
    vault.close()
