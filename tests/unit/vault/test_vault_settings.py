"""The vault's settings: off without keys, whole with them, its stores never the product's, and no key is repeated."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from aegis_worker.errors import ConfigurationError
from aegis_worker.vault_settings import load_vault_settings

KEY_A, KEY_F = (base64.b64encode(letter * 32).decode() for letter in (b"a", b"f"))
KEYS = f"2026a:{KEY_A},fingerprint:{KEY_F}"
STORES = {
    "AEGIS_VAULT_DATABASE_URL": "postgresql://vault:v@127.0.0.1:5432/vault",
    "AEGIS_VAULT_REDIS_URL": "redis://127.0.0.1:6380/0",
}
PRODUCT = {
    "database_url": "postgresql+psycopg2://aegis:p@127.0.0.1:5432/aegis",
    "redis_url": "redis://127.0.0.1:6379/0",
}


def test_without_keys_it_is_off() -> None:
    assert load_vault_settings({}, **PRODUCT) is None


def test_with_keys_and_stores_it_is_on_and_shows_none_of_them() -> None:
    vault = load_vault_settings({"AEGIS_VAULT_KEYS": KEYS, **STORES}, **PRODUCT)
    assert vault is not None
    assert [key.id for key in vault.keys.sealing] == ["2026a"]
    assert vault.keys.fingerprint.key == b"f" * 32
    assert vault.database_url.startswith("postgresql+psycopg2://vault")
    assert repr(vault) == "VaultSettings()"


def test_keys_may_come_from_a_file_with_a_line_each(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEYS.replace(",", "\n") + "\n")
    vault = load_vault_settings({"AEGIS_VAULT_KEYS_FILE": str(file), **STORES}, **PRODUCT)
    assert vault is not None
    assert vault.keys.sealing[0].key == b"a" * 32


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (STORES, "AEGIS_VAULT_KEYS"),
        ({"AEGIS_VAULT_KEYS": KEYS}, "AEGIS_VAULT_DATABASE_URL"),
        ({"AEGIS_VAULT_KEYS": KEYS, **STORES, "AEGIS_VAULT_REDIS_URL": ""}, "AEGIS_VAULT_REDIS_URL"),
        ({"AEGIS_VAULT_KEYS": KEYS, "AEGIS_VAULT_KEYS_FILE": "/x", **STORES}, "both"),
        ({"AEGIS_VAULT_KEYS_FILE": "/nowhere/keys", **STORES}, "can't be read"),
        ({"AEGIS_VAULT_KEYS_FILE": "/dev/null", **STORES}, "empty"),
        ({"AEGIS_VAULT_KEYS": f"2026a:{KEY_A}", **STORES}, "lacks fingerprint"),
        ({"AEGIS_VAULT_KEYS": f"fingerprint:{KEY_F}", **STORES}, "no key that seals"),
        ({"AEGIS_VAULT_KEYS": f"2026a:{KEY_A},fingerprint:{KEY_A}", **STORES}, "twice"),
        ({"AEGIS_VAULT_KEYS": "2026a:short", **STORES}, "32 bytes"),
        (
            {"AEGIS_VAULT_KEYS": KEYS, **STORES, "AEGIS_VAULT_DATABASE_URL": PRODUCT["database_url"]},
            "the database of DATABASE_URL",
        ),
        (
            {
                "AEGIS_VAULT_KEYS": KEYS,
                **STORES,
                "AEGIS_VAULT_DATABASE_URL": "postgresql://aegis:p@127.0.0.1/vault",
            },
            "the role of DATABASE_URL",
        ),
        (
            {"AEGIS_VAULT_KEYS": KEYS, **STORES, "AEGIS_VAULT_REDIS_URL": "redis://127.0.0.1/5"},
            "the Redis of REDIS_URL",
        ),
        (
            {"AEGIS_VAULT_KEYS": KEYS, **STORES, "AEGIS_VAULT_DATABASE_URL": "mysql://h/db"},
            "AEGIS_VAULT_DATABASE_URL",
        ),
    ],
)
def test_what_is_half_set_or_shared_is_refused_in_words_without_a_key(
    environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        load_vault_settings(environ, **PRODUCT)
    assert KEY_A not in str(refused.value)
    assert KEY_F not in str(refused.value)
