"""The options of a table of Braintree's in config/gateways.toml."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.errors import ConfigurationError

from ..config import GatewayConfig

_KNOWN = frozenset(
    {"absence_window_s", "descriptor_company", "merchant_accounts", "public_key", "request_keys"}
)
# How long a call may be on its way after its connection broke, and search behind it.
_ABSENCE_WINDOW_S = 120.0
_HOSTS = {"live": "api.braintreegateway.com", "test": "api.sandbox.braintreegateway.com"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# "Company name/DBA section must be either 3, 7 or 12 characters": parameter `descriptor.name` of Transaction: Sale.
_COMPANY = re.compile(r"[A-Za-z0-9 +.-]{3}|[A-Za-z0-9 +.-]{7}|[A-Za-z0-9 +.-]{12}")


class Options(Struct, frozen=True):
    """What the adapter is set to. `merchant_id`: whose keys they are. `merchant_accounts`: by currency, which of its
    accounts takes it. `request_keys`: Braintree has given it keys of requests, which it remembers.
    """

    merchant_id: str
    public_key: str
    merchant_accounts: Mapping[str, str]
    descriptor_company: str | None
    request_keys: bool
    absence_window_s: float


def checked(config: GatewayConfig) -> Options:
    """Raises ConfigurationError that names the wrong one."""
    where, options = f"gateways.{config.name}", config.options
    if unknown := set(options) - _KNOWN:
        raise ConfigurationError(f"{where}.options: unknown option {', '.join(sorted(unknown))}")
    if config.account is None or not _ID.fullmatch(config.account):
        raise ConfigurationError(f"{where}.account: must be the merchant id")
    host = urlsplit(config.base_url).hostname or ""
    if host == _HOSTS["test" if config.mode == "live" else "live"]:
        raise ConfigurationError(f'{where}.base_url: is none for mode = "{config.mode}"')
    return Options(
        config.account,
        _public_key(where, options.get("public_key")),
        _merchant_accounts(f"{where}.options.merchant_accounts", options.get("merchant_accounts")),
        _company(where, options.get("descriptor_company")),
        _truth(f"{where}.options.request_keys", options.get("request_keys", False)),
        _seconds(f"{where}.options.absence_window_s", options.get("absence_window_s", _ABSENCE_WINDOW_S)),
    )


def _public_key(where: str, given: Any) -> str:
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise ConfigurationError(
            f"{where}.options.public_key: must be the public key that goes with the private one"
        )
    return given


def _merchant_accounts(where: str, given: Any) -> Mapping[str, str]:
    if not isinstance(given, dict) or not given:
        raise ConfigurationError(f"{where}: must name an account for each currency, such as USD = 'shop_usd'")
    for currency, account in given.items():
        if currency not in EXPONENTS:
            raise ConfigurationError(f"{where}.{currency}: is no currency")
        if not isinstance(account, str) or not _ID.fullmatch(account):
            raise ConfigurationError(f"{where}.{currency}: must be the id of a merchant account")
    return dict(given)


def _company(where: str, given: Any) -> str | None:
    if given is not None and (not isinstance(given, str) or not _COMPANY.fullmatch(given)):
        raise ConfigurationError(f"{where}.options.descriptor_company: must have 3, 7 or 12 characters")
    return given


def _truth(where: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise ConfigurationError(f"{where}: must be true or false")
    return given


def _seconds(where: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < math.inf:
        raise ConfigurationError(f"{where}: must be a number of seconds, 0 or more")
    return float(given)
