"""Reads config/gateways.toml: one table for each gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aegis_worker.domain.cards import VAULT
from aegis_worker.errors import ConfigurationError
from aegis_worker.toml_file import read_toml

from .base import Adapter
from .config import GatewayConfig
from .limits import amount_limits, breaker_limits, numbers, retry_limits
from .reach import reach
from .registry import IN_PROCESS, check_adapter, made
from .table_checks import (
    BOUNDED,
    FROM_ENVIRONMENT,
    PLAIN,
    SETS,
    account,
    check_secrets,
    check_settings,
    check_url,
    check_values,
    mode,
    secrets,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def load_adapters(path: Path, environ: Mapping[str, str]) -> dict[str, Adapter]:
    """The adapters of a configuration file, in its order. Raises ConfigurationError that names the wrong entry."""
    adapters = {config.name: made(path, config) for config in load_configs(path, environ)}
    for name, adapter in adapters.items():
        if beyond := adapter.config.methods - adapter.capabilities.methods.keys():
            raise ConfigurationError(
                f"{path}: gateways.{name}.methods: the adapter takes no {', '.join(sorted(beyond))}"
            )
        if adapter.config.raw_cards and not adapter.capabilities.cards:
            raise ConfigurationError(
                f"{path}: gateways.{name}.raw_cards: the adapter {adapter.config.adapter} sends no card numbers"
            )
    return adapters


def load_configs(path: Path, environ: Mapping[str, str]) -> list[GatewayConfig]:
    """The file's entries, checked. Raises ConfigurationError."""
    configs = [_config(path, name, table, environ) for name, table in _tables(path).items()]
    if not configs:
        raise ConfigurationError(f"{path}: no [gateways.NAME] table")
    _check_accounts(path, configs)
    return configs


def _check_accounts(path: Path, configs: Sequence[GatewayConfig]) -> None:
    """Two tables of one account would each be shown the other's payments. Raises ConfigurationError."""
    first: dict[tuple[str, str, str], str] = {}
    for config in configs:
        if config.account is None:
            continue
        other = first.setdefault((config.adapter, config.mode, config.account), config.name)
        if other != config.name:
            raise ConfigurationError(
                f"{path}: gateways.{config.name}.account: gateways.{other} is {config.account!r} already; "
                "an account has one table"
            )


def variables_of(path: Path) -> set[str]:
    """The environment variables that the file names. Raises ConfigurationError for a file that can't be read."""
    tables = _tables(path).values()
    named = (table.get(f"{field}_env") for table in tables for field in FROM_ENVIRONMENT)
    return {name for name in named if isinstance(name, str)}


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    tables = read_toml(path).get("gateways", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigurationError(f"{path}: gateways must be tables [gateways.NAME]")
    return tables


def _config(path: Path, name: str, table: dict[str, Any], environ: Mapping[str, str]) -> GatewayConfig:
    where = f"{path}: gateways.{name}"
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{path}: a gateway's name is 1 to 64 letters, digits, _ and -")
    if name == VAULT:
        raise ConfigurationError(f"{where}: {VAULT} is the card vault's own name; call the gateway otherwise")
    check_settings(where, table)
    check_adapter(where, table.get("adapter"))
    given = {
        field: environ.get(table.get(f"{field}_env", ""), table.get(field, "")) for field in FROM_ENVIRONMENT
    }
    if table["adapter"] not in IN_PROCESS:
        check_url(where, given["base_url"])
    check_secrets(where, given)
    fields: dict[str, Any] = {"options": table.get("options", {}), **given}
    fields["webhook_secrets"] = secrets(where, fields.pop("webhook_secret"))
    fields |= {"mode": mode(where, table), "account": account(where, table)}
    fields |= reach(where, path.parent, table, given["proxy"])
    fields |= {field: frozenset(table[field]) for field in SETS if field in table}
    fields |= {field: table[field] for field in PLAIN if field in table}
    fields |= numbers(where, {field: table[field] for field in BOUNDED if field in table}, BOUNDED)
    fields["amounts"] = amount_limits(f"{where}.amounts", table.get("amounts", {}))
    fields["retry"] = retry_limits(f"{where}.retry", table.get("retry", {}))
    config = GatewayConfig(name=name, adapter=table["adapter"], **fields)
    check_values(where, config)
    breaker = breaker_limits(
        f"{where}.breaker", table.get("breaker", {}), slowest_call_s=config.slowest_call_s
    )
    return replace(config, breaker=breaker)
