"""Checks the settings of one table [gateways.NAME] of config/gateways.toml, other than numbers and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.modes import MODES, Mode
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.payment import METHODS
from aegis_worker.errors import ConfigurationError

from .config import GatewayConfig
from .reach import FILES
from .registry import TEST_ONLY

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
_LONGEST_ACCOUNT, _MOST_SECRETS = 255, 4
FROM_ENVIRONMENT = ("base_url", "api_key", "webhook_secret", "proxy")
_KNOWN = {
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


def check_settings(where: str, table: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for a setting that is unknown or has a value of another type.

    The numbers of `BOUNDED` are checked together with their bounds.
    """
    if unknown := sorted(set(table) - _KNOWN):
        raise ConfigurationError(f"{where}: unknown setting {', '.join(unknown)}")
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


def mode(where: str, table: Mapping[str, Any]) -> Mode:
    """A table of a real gateway must say its mode: a default that is wrong would charge nobody, or a tester's own card."""
    adapter, given = table["adapter"], table.get("mode")
    if adapter in TEST_ONLY:
        if given not in (None, "test"):
            raise ConfigurationError(
                f'{where}.mode: must be "test", or left out: no money moves at a gateway of the adapter {adapter}'
            )
        return "test"
    for known in MODES:
        if given == known:
            return known
    raise ConfigurationError(f'{where}.mode: must be "live", for real money, or "test"')


def account(where: str, table: Mapping[str, Any]) -> str | None:
    """The account that a table names, None without one. Raises ConfigurationError."""
    given: str | None = table.get("account")
    if given is None:
        return None
    if not 0 < len(given) <= _LONGEST_ACCOUNT or not given.isprintable() or given != given.strip():
        raise ConfigurationError(
            f"{where}.account: must be 1 to {_LONGEST_ACCOUNT} printable characters, without spaces around them"
        )
    return given


def check_secrets(where: str, given: Mapping[str, str]) -> None:
    """Raises ConfigurationError for a secret that can't be sent in a header."""
    for secret in ("api_key", "webhook_secret"):
        if given[secret] and not (given[secret].isascii() and given[secret].isprintable()):
            raise ConfigurationError(f"{where}: {secret} must be printable ASCII, without line breaks")


def secrets(where: str, given: str) -> tuple[str, ...]:
    """The secrets in a variable, which are several while one is exchanged. Raises ConfigurationError, which shows none."""
    parts = tuple(secret.strip() for secret in given.split(",")) if given else ()
    if len(parts) > _MOST_SECRETS or not all(parts):
        raise ConfigurationError(
            f"{where}: webhook_secret must be 1 to {_MOST_SECRETS} secrets, separated by commas"
        )
    return parts


def check_url(where: str, url: str) -> None:
    """Raises ConfigurationError for an address that no gateway can have."""
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


def check_values(where: str, config: GatewayConfig) -> None:
    """Raises ConfigurationError for a time or fee out of its bounds, or a currency, country or method that is unknown."""
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
