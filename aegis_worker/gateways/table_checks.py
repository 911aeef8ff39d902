"""What a table of config/gateways.toml may say, setting by setting. Everything here raises ConfigurationError."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.modes import MODES, Mode
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.payment import METHODS
from aegis_worker.errors import ConfigurationError

from .config import AmountLimits, GatewayConfig
from .reach import FILES

# These gateways move no money, whatever a table says, so they are for test payments alone.
TEST_ONLY = {"sandbox", "null"}
SETS = ("currencies", "countries", "methods")
PLAIN = (
    "connect_timeout_s",
    "timeout_s",
    "fee_fixed_minor",
    "fee_basis_points",
    "enabled",
    "raw_cards",
)
BOUNDED = {
    "max_connections": (1, 10_000),
    "max_concurrent": (1, 100_000),
    "calls_per_s": (1, 100_000),
    "latency_target_ms": (1, 60_000),
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LONGEST_ACCOUNT, _MOST_SECRETS = 255, 4
FROM_ENVIRONMENT = ("base_url", "api_key", "webhook_secret", "proxy")
KNOWN = {
    "account",
    "adapter",
    "amounts",
    "base_url",
    "breaker",
    "mode",
    "options",
    "proxy",
    "retry",
    *FILES,
    *SETS,
    *PLAIN,
    *BOUNDED,
    *(f"{name}_env" for name in FROM_ENVIRONMENT),
}
_TEXTS = {
    "account",
    "adapter",
    "base_url",
    "mode",
    "proxy",
    *FILES,
    *(f"{name}_env" for name in FROM_ENVIRONMENT),
}


def secrets_in(where: str, given: str) -> tuple[str, ...]:
    """The secrets in a variable, which are several while one is exchanged. Raises ConfigurationError, which shows none."""
    secrets = tuple(secret.strip() for secret in given.split(",")) if given else ()
    if len(secrets) > _MOST_SECRETS or not all(secrets):
        raise ConfigurationError(
            f"{where}: webhook_secret must be 1 to {_MOST_SECRETS} secrets, separated by commas"
        )
    return secrets


def mode_of(where: str, table: Mapping[str, Any]) -> Mode:
    """A table of a real gateway must say its mode: a default that is wrong would charge nobody, or a tester's own card."""
    adapter, given = table["adapter"], table.get("mode")
    if adapter in TEST_ONLY:
        if given not in (None, "test"):
            raise ConfigurationError(
                f'{where}.mode: must be "test", or left out: no money moves at a gateway of the adapter {adapter}'
            )
        return "test"
    for mode in MODES:
        if given == mode:
            return mode
    raise ConfigurationError(f'{where}.mode: must be "live", for real money, or "test"')


def account_of(where: str, table: Mapping[str, Any]) -> str | None:
    """The account's id at the gateway; None if the table names none."""
    account: str | None = table.get("account")
    if account is None:
        return None
    if not 0 < len(account) <= _LONGEST_ACCOUNT or not account.isprintable() or account != account.strip():
        raise ConfigurationError(
            f"{where}.account: must be 1 to {_LONGEST_ACCOUNT} printable characters, without spaces around them"
        )
    return account


def check_types(where: str, table: Mapping[str, Any]) -> None:
    """Check the type of every setting. The numbers of `BOUNDED` are checked together with their bounds."""
    for setting, value in table.items():
        if setting in SETS:
            fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
            kind = "a list of strings"
        elif setting in ("connect_timeout_s", "timeout_s"):
            fits, kind = type(value) in (int, float), "a number of seconds"
        elif setting in ("enabled", "raw_cards"):
            fits, kind = isinstance(value, bool), "true or false"
        elif setting == "options":
            fits, kind = isinstance(value, dict), "a table"
        else:
            fits, kind = isinstance(value, str) or setting not in _TEXTS, "a string"
        if not fits:
            raise ConfigurationError(f"{where}.{setting}: must be {kind}")


def check_url(where: str, url: str) -> None:
    """A base URL has a scheme, a host, and nothing secret."""
    if not url:
        raise ConfigurationError(f"{where}: neither base_url nor the variable in base_url_env is set")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or not (url.isascii() and url.isprintable() and " " not in url):
        raise ConfigurationError(
            f"{where}: the base URL must be such as https://host:port, without a password"
        )


def amounts_of(where: str, table: Any) -> dict[str, AmountLimits]:
    """The least and most that the gateway takes, by currency."""
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where}: must be a table of currencies")
    if strange := set(table) - set(EXPONENTS):
        raise ConfigurationError(f"{where}: not ISO 4217: {', '.join(sorted(strange))}")
    return {currency: _amount_limits(f"{where}.{currency}", given) for currency, given in table.items()}


def _amount_limits(where: str, given: Any) -> AmountLimits:
    if not isinstance(given, dict) or set(given) - {"min_minor", "max_minor"}:
        raise ConfigurationError(f"{where}: must be a table of min_minor and max_minor")
    if any(type(minor) is not int or not 1 <= minor <= MAX_MINOR for minor in given.values()):
        raise ConfigurationError(f"{where}: must be whole minor units, from 1 to {MAX_MINOR}")
    limits = AmountLimits(**given)
    if limits.max_minor is not None and limits.min_minor > limits.max_minor:
        raise ConfigurationError(f"{where}: min_minor is above max_minor")
    return limits


def check_whole(where: str, config: GatewayConfig) -> None:
    """What can only be said of the whole table: waits, fees, currencies, countries and methods."""
    if not 0 < config.connect_timeout_s <= 10 or not 0 < config.timeout_s <= 60:
        raise ConfigurationError(f"{where}: connect_timeout_s must be in (0, 10], timeout_s in (0, 60]")
    for fee in ("fee_fixed_minor", "fee_basis_points"):
        value = getattr(config, fee)
        if value is not None and (type(value) is not int or not 0 <= value <= MAX_MINOR):
            raise ConfigurationError(f"{where}.{fee}: must be a whole number from 0")
    if strange := config.currencies - set(EXPONENTS):
        raise ConfigurationError(f"{where}.currencies: not ISO 4217: {', '.join(sorted(strange))}")
    if strange := config.countries - COUNTRIES:
        raise ConfigurationError(f"{where}.countries: not ISO 3166-1: {', '.join(sorted(strange))}")
    if strange := config.methods - METHODS:
        raise ConfigurationError(f"{where}.methods: unknown: {', '.join(sorted(strange))}")
