"""Whether a new payment carries what the gateways that take it need, and whose its token is. Pure.

Decided when the payment is accepted, for good: a gateway that is configured later must not be sent a token that another one
issued. What only a worker can know (paused gateways, open breakers) plays no part.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.instruments import is_bare, missing_field, named_gateways
from aegis_worker.domain.json_pointers import escaped
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.errors import MethodRefused
from aegis_worker.routing.eligibility import (
    Candidate,
    does_not_take,
    has_nothing_for,
    takes_bare,
    takes_no_cards,
)

_METHOD = "/payment_method"


def placed(terms: PaymentTerms, mode: Mode, gateways: Collection[Candidate]) -> PaymentTerms:
    """The terms of a payment of this mode, with the gateway that issued a bare token where it can only be one.

    Where no gateway takes such a payment at all, the terms stay as they are: the payment will fail for that, and says why.
    Raises MethodRefused.
    """
    method = terms.payment_method
    _check_names(terms, mode, gateways)
    takers = [gateway for gateway in gateways if does_not_take(terms, mode, gateway) is None]
    if takers and is_vaulted(method):
        _check_takes_cards(takers)
    elif takers and is_bare(method):
        issuer = _issuer(method["token"], takers)
        if issuer is not None:
            terms = replace(terms, payment_method={**method, "gateway": issuer})
    elif takers:
        _check_needs(terms, mode, gateways, takers)
    if terms.mandate is not None:
        _check_mandate(terms, takers)
    return terms


def _check_names(terms: PaymentTerms, mode: Mode, gateways: Collection[Candidate]) -> None:
    modes = {gateway.config.name: gateway.config.mode for gateway in gateways}
    for name in named_gateways(terms.payment_method):
        in_tokens = "tokens" in terms.payment_method
        where = f"{_METHOD}/tokens/{escaped(name)}" if in_tokens else f"{_METHOD}/gateway"
        if name not in modes:
            there = _listed([known for known, of in modes.items() if of == mode]) or "none"
            detail = f"No gateway of this name is configured; for {mode} payments there are {there}."
            raise MethodRefused(where, "unknown_gateway", detail)
        if modes[name] != mode:
            raise MethodRefused(
                where, "wrong_mode", f"It takes {modes[name]} payments, and this is a {mode} one."
            )


def _issuer(token: str, takers: Sequence[Candidate]) -> str | None:
    """The only gateway that can have issued the token; None where gateways take it from anybody. Raises MethodRefused."""
    if any(takes_bare(token, gateway.capabilities) for gateway in takers):
        return None
    possible = [
        gateway.config.name
        for gateway in takers
        if gateway.capabilities.bare_tokens is None and gateway.capabilities.issues_tokens
    ]
    if len(possible) == 1:
        return possible[0]
    if possible:
        raise MethodRefused(
            f"{_METHOD}/token",
            "ambiguous_token",
            f"It may be of {_listed(possible)}: say which in gateway, or give tokens by gateway.",
        )
    raise MethodRefused(
        f"{_METHOD}/token",
        "invalid_format",
        f"{_listed([gateway.config.name for gateway in takers])} can't have issued it; if one did, name it in gateway.",
    )


def _check_takes_cards(takers: Sequence[Candidate]) -> None:
    why_not = {gateway.config.name: takes_no_cards(gateway) for gateway in takers}
    if all(why_not.values()):
        why = "; ".join(f"{name} {reason}" for name, reason in why_not.items())
        raise MethodRefused(
            f"{_METHOD}/token", "cards_not_taken", f"No gateway here may be sent a card of the vault: {why}."
        )


def _check_needs(
    terms: PaymentTerms, mode: Mode, gateways: Collection[Candidate], takers: Sequence[Candidate]
) -> None:
    method = terms.payment_method
    missing = {gateway.config.name: _missing(method, gateway) for gateway in takers}
    if not all(missing.values()):
        return
    name, field = next((name, field) for name, field in missing.items() if field is not None)
    if field != "token":
        raise MethodRefused(f"{_METHOD}/{field}", "required", f"{name} can't take the payment without it.")
    given = next((way for way in ("tokens", "gateway") if way in method), "token")
    needing = [name for name, field in missing.items() if field == "token"]
    others = {gateway.config.name: does_not_take(terms, mode, gateway) for gateway in gateways}
    given_of = [f"{name} {others[name]}" for name in named_gateways(method) if others.get(name)]
    why_not = f": {'; '.join(given_of)}" if given_of else ""
    detail = (
        f"Of those that take such a payment ({_listed(needing)}), one must have issued the token{why_not}."
    )
    raise MethodRefused(f"{_METHOD}/{given}", "required", detail)


def _check_mandate(terms: PaymentTerms, takers: Sequence[Candidate]) -> None:
    may = [gateway.config.name for gateway in takers if has_nothing_for(terms, gateway) is None]
    if len(may) > 1:
        detail = (
            f"It is one gateway's, and the payment may go to {_listed(may)}: name the gateway with the token."
        )
        raise MethodRefused("/mandate", "ambiguous_mandate", detail)


def _missing(method: Any, gateway: Candidate) -> str | None:
    return missing_field(method, gateway.config.name, gateway.capabilities.methods[method["type"]])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
