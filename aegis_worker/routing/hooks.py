"""Routing hooks: an operator's own code that names gateways before rules and strategy do.

A hook is trusted like the rest of the installation. It gets the payment, the gateways that may take it, and what is known
of them, and returns names, best first, or None. It runs for every payment, in the worker: it must be quick and ask nobody.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from aegis_worker.domain.payment import Payment
from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.resilience.permits import GatewayHealth

RoutingHook = Callable[[Payment, Sequence[GatewayConfig], Mapping[str, GatewayHealth]], Sequence[str] | None]

VARIABLE = "AEGIS_ROUTING_HOOKS"


def load_hooks(paths: Sequence[str]) -> tuple[RoutingHook, ...]:
    """The functions at `module:function`, in order. Raises ConfigurationError that names the path that is wrong."""
    return tuple(_loaded(path.strip()) for path in paths)


def _loaded(path: str) -> RoutingHook:
    module, separator, function = path.partition(":")
    if not (module and separator and function.isidentifier()):
        raise ConfigurationError(f"{VARIABLE}: {path!r} is not of the form module:function")
    try:
        hook = getattr(importlib.import_module(module), function, None)
    except Exception as error:
        raise ConfigurationError(f"{VARIABLE}: {path}: {type(error).__name__}: {error}") from error
    if not callable(hook):
        raise ConfigurationError(f"{VARIABLE}: {path}: {module} has no function {function}")
    return cast("RoutingHook", hook)


def named_by(
    hook: RoutingHook,
    payment: Payment,
    eligible: Sequence[GatewayConfig],
    health: Mapping[str, GatewayHealth],
) -> tuple[list[str], str | None]:
    """The eligible gateways that the hook names, and what went wrong with it, if anything did."""
    may = {gateway.name for gateway in eligible}
    try:
        named = hook(payment, eligible, health)
        names = [name for name in named or () if name in may]
    except Exception as error:  # its message may hold what must not be kept: the payer's data
        return [], f"hook {hook_name(hook)} failed: {type(error).__name__}"
    if named and not names:
        return [], f"hook {hook_name(hook)} named no eligible gateway"
    return names, None


def hook_name(hook: RoutingHook) -> str:
    """The hook as explanations name it."""
    kind = type(hook)
    module = getattr(hook, "__module__", kind.__module__)
    return f"{module}:{getattr(hook, '__qualname__', kind.__qualname__)}"
