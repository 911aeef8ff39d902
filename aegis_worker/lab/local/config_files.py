"""config/gateways.toml for gateways that are all emulated: chosen by name, written as TOML."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aegis_worker.errors import ConfigurationError

# The emulator of a gateway that is no sandbox, by its adapter. Nothing of the user's own table is used but its name: an
# emulator is never given a real account's key.
_EMULATED: dict[str, dict[str, Any]] = {
    "stripe": {
        "adapter": "stripe",
        "mode": "test",
        "base_url_env": "AEGIS_EMULATED_STRIPE_URL",
        "api_key_env": "AEGIS_EMULATED_STRIPE_KEY",
        "webhook_secret_env": "AEGIS_EMULATED_STRIPE_WEBHOOK_SECRET",
        "fee_fixed_minor": 30,
        "fee_basis_points": 290,
        "breaker": {"unknown_rate": 1.0, "open_s": 10},
        "options": {"publishable_key": "pk_test_emulator", "multicapture": True},
    },
    "adyen": {
        "adapter": "adyen",
        "mode": "test",
        "account": "EmulatedShop",
        "base_url_env": "AEGIS_EMULATED_ADYEN_URL",
        "api_key_env": "AEGIS_EMULATED_ADYEN_KEY",
        "webhook_secret_env": "AEGIS_EMULATED_ADYEN_WEBHOOK_SECRET",
        "fee_fixed_minor": 11,
        "fee_basis_points": 320,
        "breaker": {"unknown_rate": 1.0, "open_s": 10},
        "options": {"return_url": "https://shop.example/back"},
    },
}
EMULATED_ADAPTERS = frozenset({"sandbox", *_EMULATED})


def copy_config(given: Path, chosen: Sequence[str], folder: Path) -> None:
    """Put a configuration into `folder` that has the chosen gateways alone, in this order, and all hooks.

    A name is that of a sandbox in `given`/gateways.toml, or of an adapter that has an emulator. routing.toml is left out,
    because it may name gateways that are not there. Raises ConfigurationError.
    """
    path = given / "gateways.toml"
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        known: dict[str, dict[str, Any]] = tomllib.loads(path.read_text()).get("gateways", {})
        tables = {name: _table(name, known, path) for name in chosen}
        for file in given.glob("*.py"):
            shutil.copy(file, folder)
        (folder / "gateways.toml").write_text(written(tables))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error


def written(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Gateways' tables as the text of gateways.toml."""
    return "\n".join(line for name, table in tables.items() for line in _lines(("gateways", name), table))


def _table(name: str, known: Mapping[str, dict[str, Any]], path: Path) -> dict[str, Any]:
    if known.get(name, {}).get("adapter") == "sandbox":
        return {**known[name], "enabled": True}
    if name in _EMULATED:
        return _EMULATED[name]
    sandboxes = [name for name, table in known.items() if table.get("adapter") == "sandbox"]
    there = ", ".join([*sandboxes, *_EMULATED])
    raise ConfigurationError(
        f"{path} has no sandbox {name}, and there is no such emulator; there are {there}"
    )


def _lines(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """A table as TOML: what stands in one is numbers, texts, lists of these, and tables. JSON's are TOML's."""
    yield f"[{'.'.join(_json(name) for name in path)}]"
    for name, value in table.items():
        if not isinstance(value, dict):
            yield f"{_json(name)} = {_json(value)}"
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _lines((*path, name), value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
