"""Reads [gateways.NAME.amounts], .breaker and .retry of config/gateways.toml, and checks their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.declines import DECLINES, may_fail_over
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.retries import NotSentKind, RetryLimits
from aegis_worker.errors import ConfigurationError

from .config import AmountLimits

# Least and most, both included. If both bounds are whole numbers, the setting must be one, too.
Bounds = Mapping[str, tuple[float, float]]
_BREAKER: Bounds = {
    "consecutive_failures": (1, 100_000),
    "failure_rate": (0.01, 1.0),
    "failure_min_calls": (1, 100_000),
    "unknown_rate": (0.0, 1.0),
    "unknown_min_calls": (1, 100_000),
    "window_s": (1.0, 3600.0),
    "open_s": (0.1, 3600.0),
    "open_jitter": (0.0, 0.5),
    "max_open_s": (0.1, 21_600.0),
    "probes": (1, 100),
    "probe_s": (1.0, 3600.0),
    "successes_to_close": (1, 100),
    "tighten": (0.0, 0.9),
}
_RETRY: Bounds = {
    "max_attempts": (1, 20),
    "initial_s": (0.0, 3600.0),
    "multiplier": (1.0, 10.0),
    "cap_s": (0.0, 86_400.0),
}


def breaker_limits(where: str, table: Any, *, slowest_call_s: float) -> BreakerLimits:
    """Raises ConfigurationError that names the place."""
    given = numbers(where, table, _BREAKER)
    limits = BreakerLimits(**given)
    if limits.max_open_s < limits.open_s:
        raise ConfigurationError(
            f"{where}: max_open_s ({limits.max_open_s:g}) is below open_s ({limits.open_s:g})"
        )
    if limits.probe_s < slowest_call_s:
        # If a permit ended during its call, one probe too many could go out.
        raise ConfigurationError(
            f"{where}.probe_s: must not be shorter than the slowest call, connect_timeout_s + timeout_s"
            f" ({slowest_call_s:g} s)"
        )
    return limits


def retry_limits(where: str, table: Any) -> RetryLimits:
    """Raises ConfigurationError that names the place."""
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where}: must be a table")
    plain = {name: value for name, value in table.items() if name not in ("retry_on", "decline_attempts")}
    given = numbers(where, plain, _RETRY)
    if "retry_on" in table:
        given["retry_on"] = _kinds(f"{where}.retry_on", table["retry_on"])
    if "decline_attempts" in table:
        given["decline_attempts"] = _by_code(f"{where}.decline_attempts", table["decline_attempts"])
    return RetryLimits(**given)


def amount_limits(where: str, table: Any) -> dict[str, AmountLimits]:
    """The least and most amount by currency. Raises ConfigurationError that names the place."""
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where}: must be a table of currencies")
    if strange := set(table) - set(EXPONENTS):
        raise ConfigurationError(f"{where}: not ISO 4217: {', '.join(sorted(strange))}")
    return {currency: _limits_of_one(f"{where}.{currency}", given) for currency, given in table.items()}


def _limits_of_one(where: str, given: Any) -> AmountLimits:
    if not isinstance(given, dict) or set(given) - {"min_minor", "max_minor"}:
        raise ConfigurationError(f"{where}: must be a table of min_minor and max_minor")
    if any(type(minor) is not int or not 1 <= minor <= MAX_MINOR for minor in given.values()):
        raise ConfigurationError(f"{where}: must be whole minor units, from 1 to {MAX_MINOR}")
    limits = AmountLimits(**given)
    if limits.max_minor is not None and limits.min_minor > limits.max_minor:
        raise ConfigurationError(f"{where}: min_minor is above max_minor")
    return limits


def numbers(where: str, table: Any, bounds: Bounds) -> dict[str, Any]:
    """The settings of a table, each a number within its bounds. Raises ConfigurationError that names the place."""
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where}: must be a table")
    if unknown := sorted(set(table) - set(bounds)):
        raise ConfigurationError(f"{where}: unknown setting {', '.join(unknown)}")
    for name, value in table.items():
        least, most = bounds[name]
        whole = isinstance(least, int)
        # `type` and not isinstance, because `true` is an int in Python.
        if type(value) not in ((int,) if whole else (int, float)) or not least <= value <= most:
            number = "whole number" if whole else "number"
            raise ConfigurationError(f"{where}.{name}: must be a {number} from {least:g} to {most:g}")
    return dict(table)


def _kinds(where: str, given: Any) -> frozenset[NotSentKind]:
    known = {str(kind) for kind in NotSentKind} - {NotSentKind.VAULT}
    if not isinstance(given, list) or any(kind not in known for kind in given):
        raise ConfigurationError(f"{where}: must be a list out of {', '.join(sorted(known))}")
    return frozenset(NotSentKind(kind) for kind in given)


def _by_code(where: str, table: Any) -> dict[str, int]:
    if isinstance(table, dict) and (unknown := sorted(set(table) - set(DECLINES))):
        raise ConfigurationError(f"{where}: no decline code {', '.join(unknown)}; see domain/declines.py")
    if isinstance(table, dict) and (final := sorted(code for code in table if not may_fail_over(code))):
        raise ConfigurationError(f"{where}: a payment ends the first time anyway with {', '.join(final)}")
    return numbers(where, table, dict.fromkeys(DECLINES, (1, 20)))
