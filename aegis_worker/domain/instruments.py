"""What a payer pays with, as each gateway gets to see it: a token belongs to the gateway account that issued it. Pure.

A card of the vault (`cards.is_vaulted`) is no gateway's: its token is for the vault, and any gateway that takes cards by
number may be sent the card itself.

A payment's `payment_method` carries one token (`token`), with the `gateway` that issued it where that is known, or one for
each of several gateways (`tokens`). A token without a gateway is bare: it is for the sandboxes, which take each other's
tokens. A real gateway's token must never reach another gateway, which might charge it (design D13).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .cards import is_vaulted
from .modes import Mode

# How the tokens of a payment stand in its `payment_method`. Gateways are shown their own alone.
_OF_SEVERAL = frozenset({"token", "gateway", "tokens"})


class CustomersCard(NamedTuple):
    """A customer's card, by its fingerprint in the vault."""

    merchant_id: str
    mode: Mode
    customer_id: str
    fingerprint: str


def is_bare(method: Mapping[str, Any]) -> bool:
    """Whether its token says nothing of the gateway that issued it."""
    return "token" in method and "gateway" not in method


def named_gateways(method: Mapping[str, Any]) -> tuple[str, ...]:
    """The gateways that it says it has tokens of."""
    if "tokens" in method:
        return tuple(method["tokens"])
    return (method["gateway"],) if "gateway" in method and not is_vaulted(method) else ()


def token_for(method: Mapping[str, Any], gateway: str) -> str | None:
    """The token that this gateway may be shown: its own, a bare one, or the vault's, which says nothing to it; None where
    there is none.
    """
    if "tokens" in method:
        token: str | None = method["tokens"].get(gateway)
        return token
    if is_vaulted(method):
        token = method["token"]
        return token
    return method.get("token") if method.get("gateway", gateway) == gateway else None


def names_of_card(method: Mapping[str, Any]) -> Iterator[str]:
    """All that its card is known by: its tokens, which stand for the same card, or the vault's fingerprint of it."""
    if is_vaulted(method):
        yield _by_fingerprint(method)
    elif "tokens" in method:
        yield from method["tokens"].values()
    elif "token" in method:
        yield method["token"]


def name_of_card(method: Mapping[str, Any], gateway: str) -> str | None:
    """What the card is known by that this gateway was sent; None where that is nothing."""
    return _by_fingerprint(method) if is_vaulted(method) else token_for(method, gateway)


def as_seen_by(method: Mapping[str, Any], gateway: str) -> Mapping[str, Any]:
    """The payment method as its gateway gets it: with its own token as `token`, and nobody else's.

    A card of the vault is the same for each of them.
    """
    if _OF_SEVERAL.isdisjoint(method.keys() - {"token"}) or is_vaulted(method):
        return method
    seen = {name: value for name, value in method.items() if name not in _OF_SEVERAL}
    token = token_for(method, gateway)
    return seen if token is None else {**seen, "token": token}


def missing_field(method: Mapping[str, Any], gateway: str, needs: frozenset[str]) -> str | None:
    """A field that the gateway can't do without and that the payment does not have for it; None where it has all.

    Whoever gives tokens of some gateways wants the payment to go to these, so any other lacks a token.
    """
    seen = as_seen_by(method, gateway)
    if named_gateways(method) and "token" not in seen:
        return "token"
    return next((name for name in sorted(needs) if name not in seen), None)


def likeness(method: Mapping[str, Any]) -> tuple[object, ...]:
    """Two payment methods with the same likeness may go to the same gateways."""
    return method["type"], tuple(sorted(method)), named_gateways(method), is_bare(method) and method["token"]


def _by_fingerprint(method: Mapping[str, Any]) -> str:
    """Two tokens of one card have the same; no gateway's token looks like it, because tokens have no space."""
    return f"vault {method['fingerprint']}"
