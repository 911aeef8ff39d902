"""The wire formats that the emulator speaks: those that ship, and those of other packages.

A package names its wire format in the entry point group `aegispay.emulators`, under its adapter's name:

    [project.entry-points."aegispay.emulators"]
    toy = "aegispay_toy.emulator:FORMAT"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from . import sandbox
from .adyen import format as adyen
from .braintree import format as braintree
from .choosing import Reach
from .paypal import format as paypal
from .razorpay import format as razorpay
from .stripe import format as stripe
from .wire_format import WireFormat

GROUP = "aegispay.emulators"
_FORMATS = (sandbox.FORMAT, stripe.FORMAT, adyen.FORMAT, paypal.FORMAT, braintree.FORMAT, razorpay.FORMAT)
WIRE_FORMATS: dict[str, WireFormat] = {one.name: one for one in _FORMATS}

# What each can be told to do, by its name.
REACHES: dict[str, Reach] = {name: one.books.reach for name, one in WIRE_FORMATS.items()}


class NoWireFormat(ValueError):
    """There is no such wire format, or the installed package that offers it is wrong. The message says what to do."""


@cache
def wire_format(name: str) -> WireFormat:
    """The wire format of this name: one that ships, else one that an installed package offers. Raises NoWireFormat."""
    if name in WIRE_FORMATS:
        return WIRE_FORMATS[name]
    offers = _offers(name)
    if not offers:
        raise NoWireFormat(
            f"there is no {name!r}; choose of {', '.join(WIRE_FORMATS)}, or install a package that offers it"
        )
    if len(offers) > 1:
        packages = " and by ".join(map(_package, offers))
        raise NoWireFormat(f"the wire format {name} is offered by {packages}: uninstall all but one")
    return _loaded(offers[0])


def _loaded(offer: EntryPoint) -> WireFormat:
    try:
        found: Any = offer.load()
    except Exception as problem:  # whatever its code raises, it is the package that is wrong
        raise NoWireFormat(
            f"the wire format {offer.name} of {_package(offer)} can't be loaded: {type(problem).__name__}: {problem}; "
            "repair that package, or uninstall it"
        ) from problem
    if not isinstance(found, WireFormat) or found.name != offer.name:
        raise NoWireFormat(
            f"{offer.value} of {_package(offer)} is no WireFormat whose name is {offer.name!r}"
        )
    return found


def _offers(name: str) -> list[EntryPoint]:
    return [offer for offer in entry_points(group=GROUP) if offer.name == name]


def _package(offer: EntryPoint) -> str:
    return "an unnamed package" if offer.dist is None else f"{offer.dist.name} {offer.dist.version}"
