"""Makes adapters from config/gateways.toml. The only place that knows which adapters ship; others are `installed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aegis_worker.domain.cards import VAULT
from aegis_worker.errors import ConfigurationError
from aegis_worker.toml_file import read_toml

from .adyen.adapter import AdyenAdapter
from .base import Adapter
from .braintree.adapter import BraintreeAdapter
from .config import GatewayConfig
from .installed import Offer, installed_adapter, offers
from .limits import breaker_limits, numbers, retry_limits
from .null.adapter import NullAdapter
from .paypal.adapter import PayPalAdapter
from .razorpay.adapter import RazorpayAdapter
from .reach import reach
from .sandbox.adapter import SandboxAdapter
from .stripe.adapter import StripeAdapter
from .table_checks import (
    BOUNDED,
    FROM_ENVIRONMENT,
    KNOWN,
    NAME,
    PLAIN,
    SETS,
    account_of,
    amounts_of,
    check_types,
    check_url,
    check_whole,
    mode_of,
    secrets_in,
)

ADAPTERS: dict[str, Callable[[GatewayConfig], Adapter]] = {
    "sandbox": SandboxAdapter,
    "null": NullAdapter,
    "stripe": StripeAdapter,
    "adyen": AdyenAdapter,
    "paypal": PayPalAdapter,
    "razorpay": RazorpayAdapter,
    "braintree": BraintreeAdapter,
}

# These gateways answer inside the process: they have no address, and they move no money.
IN_PROCESS = {"null"}


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
    named = (table.get(f"{field}_env") for table in tables for field in FROM_ENVIRONMENT)
    return {name for name in named if isinstance(name, str)}


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    tables = read_toml(path).get("gateways", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigurationError(f"{path}: gateways must be tables [gateways.NAME]")
    return tables


def _config(path: Path, name: str, table: dict[str, Any], environ: Mapping[str, str]) -> GatewayConfig:
    where = f"{path}: gateways.{name}"
    if not NAME.fullmatch(name):
        raise ConfigurationError(f"{path}: a gateway's name is 1 to 64 letters, digits, _ and -")
    if name == VAULT:
        raise ConfigurationError(f"{where}: {VAULT} is the card vault's own name; call the gateway otherwise")
    unknown = sorted(set(table) - KNOWN)
    if unknown:
        raise ConfigurationError(f"{where}: unknown setting {', '.join(unknown)}")
    check_types(where, table)
    _check_adapter(where, table.get("adapter"))
    given = {
        field: environ.get(table.get(f"{field}_env", ""), table.get(field, "")) for field in FROM_ENVIRONMENT
    }
    if table["adapter"] not in IN_PROCESS:
        check_url(where, given["base_url"])
    for secret in ("api_key", "webhook_secret"):
        if given[secret] and not (given[secret].isascii() and given[secret].isprintable()):
            raise ConfigurationError(f"{where}: {secret} must be printable ASCII, without line breaks")
    fields: dict[str, Any] = {"options": table.get("options", {}), **given}
    fields["webhook_secrets"] = secrets_in(where, fields.pop("webhook_secret"))
    fields |= {"mode": mode_of(where, table), "account": account_of(where, table)}
    fields |= reach(where, path.parent, table, given["proxy"])
    fields |= {field: frozenset(table[field]) for field in SETS if field in table}
    fields |= {field: table[field] for field in PLAIN if field in table}
    fields |= numbers(where, {field: table[field] for field in BOUNDED if field in table}, BOUNDED)
    fields["amounts"] = amounts_of(f"{where}.amounts", table.get("amounts", {}))
    fields["retry"] = retry_limits(f"{where}.retry", table.get("retry", {}))
    config = GatewayConfig(name=name, adapter=table["adapter"], **fields)
    check_whole(where, config)
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
