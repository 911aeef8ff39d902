"""What a table of Razorpay's in config/gateways.toml has to say."""

from __future__ import annotations

import math
import re
from typing import Any

from msgspec import Struct

from aegis_worker.errors import ConfigurationError

from ..config import GatewayConfig

_KNOWN = frozenset({"absence_window_s", "key_id"})
# How long a call may be on its way after its connection broke.
_ABSENCE_WINDOW_S = 120.0
_KEY_ID = re.compile(r"rzp_(test|live)_[A-Za-z0-9]{1,64}")
_ACCOUNT = re.compile(r"acc_[A-Za-z0-9]{1,64}")


class Options(Struct, frozen=True):
    """What the adapter is set to."""

    key_id: str
    absence_window_s: float


def checked(config: GatewayConfig) -> Options:
    """Raises ConfigurationError that names the wrong one."""
    where, options = f"gateways.{config.name}", config.options
    if unknown := set(options) - _KNOWN:
        raise ConfigurationError(f"{where}.options: unknown option {', '.join(sorted(unknown))}")
    if config.account is None or not _ACCOUNT.fullmatch(config.account):
        raise ConfigurationError(f"{where}.account: must be the merchant id of the account, as acc_…")
    given = options.get("key_id")
    found = _KEY_ID.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise ConfigurationError(
            f"{where}.options.key_id: must be the id of the API key, rzp_live_… or rzp_test_…"
        )
    if found[1] != config.mode:
        raise ConfigurationError(
            f'{where}.options.key_id: the API key is a {found[1]} one, and mode = "{config.mode}"'
        )
    window_s = _seconds(
        f"{where}.options.absence_window_s", options.get("absence_window_s", _ABSENCE_WINDOW_S)
    )
    return Options(found[0], window_s)


def _seconds(where: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < math.inf:
        raise ConfigurationError(f"{where}: must be a number of seconds, 0 or more")
    return float(given)
