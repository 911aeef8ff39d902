"""Knows which adapters ship, and asks installed packages for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from aegis_worker.errors import ConfigurationError

from .adyen.adapter import AdyenAdapter
from .base import Adapter
from .braintree.adapter import BraintreeAdapter
from .config import GatewayConfig
from .installed import Offer, installed_adapter, offers
from .null.adapter import NullAdapter
from .paypal.adapter import PayPalAdapter
from .razorpay.adapter import RazorpayAdapter
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


def made(path: Path, config: GatewayConfig) -> Adapter:
    """The adapter of a table of the file `path`.

    Raises ConfigurationError, also for whatever the code of an installed package raises.
    """
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


def check_adapter(where: str, adapter: str | None) -> None:
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
