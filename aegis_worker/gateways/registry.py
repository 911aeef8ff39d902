"""Makes adapters from config/gateways.toml. The only place that knows which adapters ship; others are `installed`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aegis_worker.domain.cards import VAULT
from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.modes import MODES, Mode
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.payment import METHODS
from aegis_worker.errors import ConfigurationError
from aegis_worker.toml_file import read_toml

from .adyen.adapter import AdyenAdapter
from .base import Adapter
from .braintree.adapter import BraintreeAdapter
from .config import AmountLimits, GatewayConfig
from .installed import Offer, installed_adapter, offers
from .limits import breaker_limits, numbers, retry_limits
from .null.adapter import NullAdapter
from .paypal.adapter import PayPalAdapter
from .razorpay.adapter import RazorpayAdapter
from .reach import FILES, reach
from .sandbox.adapter import SandboxAdapter
from .stripe.adapter import StripeAdapter

ADAPTERS: dict[str, Callable[[GatewayConfig], Adapter]] = {
    "sandbox": SandboxAdapter,
    "null": NullAdapter,
    "stripe": StripeAdapter,
    "adyen": AdyenAdapter,
    "paypal": PayPalAdapter,
    "razorpay": RazorpayAdapter,
    "braintree": BraintreeAdapter,
}

# These gateways move no money, whatever a table says, so they are for test payments alone.
TEST_ONLY = {"sandbox", "null"}
# These gateways answer inside the process: they have no address, and they move no money.
IN_PROCESS = {"null"}

_SETS = ("currencies", "countries", "methods")
_PLAIN = (
    "connect_timeout_s",
    "timeout_s",
    "fee_fixed_minor",
    "fee_basis_points",
    "enabled",
    "raw_cards",
)
_BOUNDED = {
    "max_connections": (1, 10_000),
    "max_concurrent": (1, 100_000),
    "calls_per_s": (1, 100_000),
    "latency_target_ms": (1, 60_000),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LONGEST_ACCOUNT, _MOST_SECRETS = 255, 4
_FROM_ENVIRONMENT = ("base_url", "api_key", "webhook_secret", "proxy")
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
    *_SETS,
    *_PLAIN,
    *_BOUNDED,
    *(f"{name}_env" for name in _FROM_ENVIRONMENT),
}
_TEXTS = {
    "account",
    "adapter",
    "base_url",
    "mode",
    "proxy",
    *FILES,
    *(f"{name}_env" for name in _FROM_ENVIRONMENT),
}


def load_adapters(path: Path, environ: Mapping[str, str]) -> dict[str, Adapter]:
    """The adapters of a configuration file, in its order. Raises ConfigurationError that names the wrong entry."""
    adapters = {config.name: _made(path, config) for config in load_configs(path, environ)}
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


def package_of(adapter: str) -> str | None:
    """The installed package, with its version, that an adapter comes from. None for one that ships."""
    if adapter in ADAPTERS:
        return None
    return next((offer.package for offer in offers() if offer.name == adapter), None)


def offer_problems() -> Iterator[tuple[Offer, str]]:
    """What installed packages offer and no table can use, each with why and what to do. Loads whatever is offered."""
    for offer in offers():
        if offer.name in ADAPTERS:
            yield (
                offer,
                f"{offer.name} ships with AegisPay and is not replaced: {offer} has to offer another name",
            )
            continue
        try:
            installed_adapter(offer.name)
        except ConfigurationError as problem:
            yield offer, str(problem)


def _made(path: Path, config: GatewayConfig) -> Adapter:
    """Raises ConfigurationError, also for whatever the code of an installed package raises."""
    if config.adapter in ADAPTERS:
        return ADAPTERS[config.adapter](config)
    make = installed_adapter(config.adapter)
    if make is None:
        raise AssertionError("unreachable: the table was checked")
    try:
        return make(config)
    except ConfigurationError:
        raise
    except Exception as problem:
        raise ConfigurationError(
            f"{path}: gateways.{config.name}: its adapter can't be made: {type(problem).__name__}: {problem}; "
            f"ask whoever wrote {package_of(config.adapter)}"
        ) from problem


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
    named = (table.get(f"{field}_env") for table in tables for field in _FROM_ENVIRONMENT)
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
    unknown = sorted(set(table) - _KNOWN)
    if unknown:
        raise ConfigurationError(f"{where}: unknown setting {', '.join(unknown)}")
    _check_types(where, table)
    _check_adapter(where, table.get("adapter"))
    given = {
        field: environ.get(table.get(f"{field}_env", ""), table.get(field, "")) for field in _FROM_ENVIRONMENT
    }
    if table["adapter"] not in IN_PROCESS:
        _check_url(where, given["base_url"])
    for secret in ("api_key", "webhook_secret"):
        if given[secret] and not (given[secret].isascii() and given[secret].isprintable()):
            raise ConfigurationError(f"{where}: {secret} must be printable ASCII, without line breaks")
    fields: dict[str, Any] = {"options": table.get("options", {}), **given}
    fields["webhook_secrets"] = _secrets(where, fields.pop("webhook_secret"))
    fields |= {"mode": _mode(where, table), "account": _account(where, table)}
    fields |= reach(where, path.parent, table, given["proxy"])
    fields |= {field: frozenset(table[field]) for field in _SETS if field in table}
    fields |= {field: table[field] for field in _PLAIN if field in table}
    fields |= numbers(where, {field: table[field] for field in _BOUNDED if field in table}, _BOUNDED)
    fields["amounts"] = _amounts(f"{where}.amounts", table.get("amounts", {}))
    fields["retry"] = retry_limits(f"{where}.retry", table.get("retry", {}))
    config = GatewayConfig(name=name, adapter=table["adapter"], **fields)
    _check(where, config)
    breaker = breaker_limits(
        f"{where}.breaker", table.get("breaker", {}), slowest_call_s=config.slowest_call_s
    )
    return replace(config, breaker=breaker)


def _check_adapter(where: str, adapter: str | None) -> None:
    """Raises ConfigurationError for an adapter that neither ships nor comes with an installed package that works."""
    try:
        if adapter in ADAPTERS or (adapter and installed_adapter(adapter)):
            return
    except ConfigurationError as problem:
        raise ConfigurationError(f"{where}.adapter: {problem}") from problem
    known = sorted({*ADAPTERS, *(offer.name for offer in offers())})
    raise ConfigurationError(
        f"{where}.adapter: must be one of {', '.join(known)}; another comes with a package that offers it, which has to "
        "be installed here"
    )


def _secrets(where: str, given: str) -> tuple[str, ...]:
    """The secrets in a variable, which are several while one is exchanged. Raises ConfigurationError, which shows none."""
    secrets = tuple(secret.strip() for secret in given.split(",")) if given else ()
    if len(secrets) > _MOST_SECRETS or not all(secrets):
        raise ConfigurationError(
            f"{where}: webhook_secret must be 1 to {_MOST_SECRETS} secrets, separated by commas"
        )
    return secrets


def _mode(where: str, table: Mapping[str, Any]) -> Mode:
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


def _account(where: str, table: Mapping[str, Any]) -> str | None:
    account: str | None = table.get("account")
    if account is None:
        return None
    if not 0 < len(account) <= _LONGEST_ACCOUNT or not account.isprintable() or account != account.strip():
        raise ConfigurationError(
            f"{where}.account: must be 1 to {_LONGEST_ACCOUNT} printable characters, without spaces around them"
        )
    return account


def _check_types(where: str, table: Mapping[str, Any]) -> None:
    """Check the type of every setting. The numbers of `_BOUNDED` are checked together with their bounds."""
    for setting, value in table.items():
        if setting in _SETS:
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


def _check_url(where: str, url: str) -> None:
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


def _amounts(where: str, table: Any) -> dict[str, AmountLimits]:
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


def _check(where: str, config: GatewayConfig) -> None:
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
