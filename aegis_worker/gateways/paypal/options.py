"""The options of a table of PayPal's in config/gateways.toml."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from aegis_worker.errors import ConfigurationError

from ..config import GatewayConfig

_KNOWN = frozenset({"absence_window_s", "approval_s", "client_id", "return_url"})
# How long a call may be on its way after its connection broke.
_ABSENCE_WINDOW_S = 120.0
# For how long a payer may be sent to approve, unless the account has another time: description of an order's `links`.
_APPROVAL_S = 3 * 3600.0
_HOSTS = {
    "live": ("api-m.paypal.com", "api.paypal.com"),
    "test": ("api-m.sandbox.paypal.com", "api.sandbox.paypal.com"),
}


class Options(Struct, frozen=True):
    """What the adapter is set to. `account`: the merchant id. `approval_s`: how long payers may take to approve."""

    account: str
    client_id: str
    return_url: str
    approval_s: float
    absence_window_s: float


def checked(config: GatewayConfig) -> Options:
    """Raises ConfigurationError that names the wrong one."""
    where, options = f"gateways.{config.name}", config.options
    if unknown := set(options) - _KNOWN:
        raise ConfigurationError(f"{where}.options: unknown option {', '.join(sorted(unknown))}")
    if config.account is None:
        raise ConfigurationError(f"{where}.account: must be the merchant id of the account")
    host = urlsplit(config.base_url).hostname or ""
    if host in _HOSTS["test" if config.mode == "live" else "live"]:
        raise ConfigurationError(f'{where}.base_url: is none for mode = "{config.mode}"')
    return Options(
        config.account,
        _client_id(where, options.get("client_id")),
        _return_url(where, options.get("return_url")),
        _seconds(f"{where}.options.approval_s", options.get("approval_s", _APPROVAL_S)),
        _seconds(f"{where}.options.absence_window_s", options.get("absence_window_s", _ABSENCE_WINDOW_S)),
    )


def _client_id(where: str, given: Any) -> str:
    if (
        not isinstance(given, str)
        or not given
        or not (given.isascii() and given.isprintable())
        or ":" in given
    ):
        raise ConfigurationError(f"{where}.options.client_id: must be the client id of the app at PayPal")
    return given


def _return_url(where: str, given: Any) -> str:
    if not isinstance(given, str) or not given.startswith(("https://", "http://")) or not given.isprintable():
        raise ConfigurationError(
            f"{where}.options.return_url: must be the page where payers come back, such as https://shop.example/back"
        )
    return given


def _seconds(where: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < math.inf:
        raise ConfigurationError(f"{where}: must be a number of seconds, 0 or more")
    return float(given)
