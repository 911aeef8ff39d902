"""Adapters of other packages, which are installed beside this one and say so by an entry point.

A package names its adapter in the group `aegispay.gateways`, under the name by which tables of gateways.toml ask for it:

    [project.entry-points."aegispay.gateways"]
    toy = "aegispay_toy.adapter:ToyAdapter"

Looking for them reads a file of every installed package (some 10 ms), and loading one runs its code. So they are looked for
once a process, and only where a table asks for an adapter that does not ship; and only what is asked for is loaded. What
ships is never replaced: an offer under the name of a shipped adapter is refused where it is listed, and never loaded.
Source of entry points: packaging.python.org/specifications/entry-points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from aegis_worker.domain.declines import DECLINES
from aegis_worker.errors import ConfigurationError

from .base import INTERFACE, Adapter
from .config import GatewayConfig

GROUP = "aegispay.gateways"


@dataclass(frozen=True, slots=True)
class Offer:
    """An adapter as an installed package offers it. `package`: its name and version."""

    name: str
    package: str
    entry_point: EntryPoint = field(repr=False)

    def __str__(self) -> str:
        return f"{self.package} ({self.entry_point.value})"


@cache
def offers() -> tuple[Offer, ...]:
    """All that is offered on this machine, by name and package."""
    found = [Offer(one.name, _package(one), one) for one in entry_points(group=GROUP)]
    return tuple(sorted(found, key=lambda offer: (offer.name, offer.package)))


@cache
def installed_adapter(name: str) -> Callable[[GatewayConfig], Adapter] | None:
    """The adapter that an installed package offers under this name. None where none does.

    Raises ConfigurationError that says what to do, where several do or where it is not one of this interface.
    """
    found = [offer for offer in offers() if offer.name == name]
    if not found:
        return None
    if len(found) > 1:
        raise ConfigurationError(
            f"the adapter {name} is offered by {' and by '.join(map(str, found))}: uninstall all but one"
        )
    return _checked(found[0], _loaded(found[0]))


def _loaded(offer: Offer) -> Any:
    try:
        return offer.entry_point.load()
    except Exception as problem:  # whatever its code raises, it is the package that is wrong
        raise ConfigurationError(
            f"the adapter {offer.name} of {offer} can't be loaded: {type(problem).__name__}: {problem}; "
            "repair that package, or uninstall it and take its tables out"
        ) from problem


def _checked(offer: Offer, adapter: Any) -> Callable[[GatewayConfig], Adapter]:
    """Raises ConfigurationError for what is no adapter, or one of another version of the interface."""
    version = getattr(adapter, "interface", None)
    if version != INTERFACE:
        says = "says no version of the interface" if version is None else f"is for the interface {version!r}"
        raise ConfigurationError(
            f"the adapter {offer.name} of {offer} {says}, and this AegisPay has {INTERFACE}: install a version of the "
            f"package for it, whose adapter says `interface = {INTERFACE}`"
        )
    if lacking := list(_lacking(adapter)):
        raise ConfigurationError(
            f"the adapter {offer.name} of {offer} lacks {', '.join(lacking)}, see aegis_worker/gateways/base.py"
        )
    if strange := sorted(set(adapter.decline_codes.values()) - set(DECLINES)):
        raise ConfigurationError(
            f"the adapter {offer.name} of {offer} has decline codes that there are not: {', '.join(strange)}; "
            "domain/declines.py has all there are"
        )
    made: Callable[[GatewayConfig], Adapter] = adapter
    return made


def _lacking(adapter: Any) -> Iterator[str]:
    for name in (*(one for one in vars(Adapter) if not one.startswith("_")), "decline_codes", "allow_list"):
        if not hasattr(adapter, name) or name in getattr(adapter, "__abstractmethods__", ()):
            yield name


def _package(entry_point: EntryPoint) -> str:
    package = entry_point.dist
    return "an unnamed package" if package is None else f"{package.name} {package.version}"
