"""What hooks see of a payment's body before the schema does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g

from aegis_api.http.idempotency import usable_key
from aegis_api.http.parts import parts
from aegis_worker.domain.accepting import Key
from aegis_worker.domain.modes import Owner

from .accepting import PAYMENTS_ROUTE


def check_body(document: Mapping[str, Any]) -> None:
    """Ask the hooks that see bodies before the schema. Raises HookRefused or HookFailed.

    Notes in `g.known_keys` whether the request's key was used before; then no hook is asked. A request whose key can't be
    one is refused later, so no hook is asked about it either.
    """
    validation = parts().validation
    if not validation.asks:
        return
    owner: Owner = g.owner
    key = usable_key()
    g.known_keys = validation.known([] if key is None else [Key(*owner, PAYMENTS_ROUTE, key)])
    if key is None or g.known_keys:
        return
    (refused,) = validation.of_bodies(owner, [without_card(document)])
    if refused is not None:
        raise refused


def without_card(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A body without its card. No number and no code of one is anywhere else: that is refused before."""
    method = document.get("payment_method")
    if not isinstance(method, dict) or "card" not in method:
        return document
    return {**document, "payment_method": {name: value for name, value in method.items() if name != "card"}}
