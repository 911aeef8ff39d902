"""`aegis vault` and `aegis doctor` about the card vault: which keys are in use, and stores that must not be used."""

from __future__ import annotations

import base64

import pytest
from redis import Redis
from sqlalchemy import create_engine
from support.command_line import Aegis, aegis, install
from support.vaults import FINGERPRINT, NEW, OLD, VaultStores, a_card

from aegis_worker.domain.modes import Owner
from aegis_worker.sealing.keys import SealingKey
from aegis_worker.vault.vault import TokenRequest, Vault
from aegis_worker.vault_settings import DATABASE_URL, KEYS, REDIS_URL

__all__ = ["aegis"]


def written(*keys: SealingKey) -> str:
    return ",".join(f"{key.id}:{base64.b64encode(key.key).decode()}" for key in (*keys, FINGERPRINT))


@pytest.fixture
def turned_on(
    database_url: str, redis_url: str, vault_stores: VaultStores, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """An installation whose vault is on, with the old key. Returns what changes its environment."""
    install(monkeypatch, database_url, REDIS_URL=redis_url)
    monkeypatch.setattr("aegis_worker.wiring.vault.never_dump", lambda: None)
    monkeypatch.setattr("aegis_worker.cli.checks_redis.workers", lambda: [])
    monkeypatch.setenv(KEYS, written(OLD))
    monkeypatch.setenv(DATABASE_URL, vault_stores.database_url)
    monkeypatch.setenv(REDIS_URL, vault_stores.redis_url)
    return monkeypatch


def keep(vault: Vault, cards: int) -> None:
    owner = Owner("mer_a", "test")
    for number in range(cards):
        known = vault.vaulted(owner, a_card(), kept=True)
        vault.make(owner, known, a_card(), TokenRequest(f"k{number}", b"h"))


def findings(aegis: Aegis) -> dict[str, tuple[str, str]]:
    checks = aegis("doctor", "--json").json["checks"]
    return {
        check["name"]: (check["verdict"], check["seen"])
        for check in checks
        if check["name"].startswith("vault")
    }


def test_the_way_of_an_exchange_of_keys(aegis: Aegis, turned_on: pytest.MonkeyPatch, vault: Vault) -> None:
    keep(vault, 3)
    turned_on.setenv(KEYS, written(NEW, OLD))
    shown = aegis("vault", "status", "--json").json
    assert shown == {
        "keys": [
            {"key": "2026b", "role": "seals", "kept": 0},
            {"key": "2026a", "role": "opens", "kept": 3},
        ],
        "held": {"cards": 0, "codes": 3},
    }
    assert findings(aegis)["vault, keys"] == (
        "ok",
        "2026b seals; 2026a is still needed (`aegis vault reseal`)",
    )
    assert aegis("vault", "reseal", "--json").json == {"resealed": 3, "key": "2026b"}
    turned_on.setenv(KEYS, written(NEW))
    assert findings(aegis)["vault, keys"] == ("ok", "2026b seals")
    turned_on.setenv(KEYS, written(OLD))
    verdict, seen = findings(aegis)["vault, keys"]
    assert (verdict, "2026b" in seen) == ("fail", True)
    missing = aegis("vault", "status", "--json").json["keys"][1]
    assert missing == {"key": "2026b", "role": "is missing: its cards can't be charged", "kept": 3}


def test_without_keys_the_vault_is_off_and_says_how_to_turn_it_on(
    aegis: Aegis, turned_on: pytest.MonkeyPatch
) -> None:
    for name in (KEYS, DATABASE_URL, REDIS_URL):
        turned_on.delenv(name)
    for command in ("status", "reseal", "migrate"):
        ran = aegis("vault", command)
        assert (ran.exit_code, KEYS in ran.err) == (3, True)
    assert findings(aegis) == {}


def test_doctor_refuses_a_redis_with_files_and_one_that_does_not_answer(
    aegis: Aegis, turned_on: pytest.MonkeyPatch, vault_stores: VaultStores
) -> None:
    with Redis.from_url(vault_stores.redis_url) as redis:
        redis.config_set("appendonly", "yes")
        try:
            verdict, seen = findings(aegis)["vault, Redis"]
        finally:
            redis.config_set("appendonly", "no")
    assert (verdict, "append-only file" in seen) == ("fail", True)
    turned_on.setenv(REDIS_URL, "redis://127.0.0.1:1/0")
    verdict, seen = findings(aegis)["vault, Redis"]
    assert (verdict, "refused" in seen) == ("fail", True)


def test_doctor_refuses_the_products_database_and_one_without_a_schema(
    aegis: Aegis, turned_on: pytest.MonkeyPatch, vault_stores: VaultStores, database_url: str
) -> None:
    turned_on.setenv(DATABASE_URL, database_url.replace("127.0.0.1", "localhost"))
    verdict, seen = findings(aegis)["vault, PostgreSQL"]
    assert (verdict, "AegisPay's own database" in seen) == ("fail", True)
    engine = create_engine(vault_stores.database_url)
    turned_on.setenv(DATABASE_URL, vault_stores.database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE cards RENAME TO elsewhere")
    try:
        assert "aegis vault migrate" in findings(aegis)["vault, PostgreSQL"][1]
        assert "aegis vault migrate" in aegis("vault", "status").err
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO cards")
        engine.dispose()


def test_migrating_again_changes_nothing(aegis: Aegis, turned_on: pytest.MonkeyPatch) -> None:
    assert aegis("vault", "migrate").exit_code == 0
