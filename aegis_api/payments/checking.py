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

_BITS = 63


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
    (refused,) = validation.of_bodies(owner, [shown_to_hooks(document)])
    if refused is not None:
        raise refused


def shown_to_hooks(document: Mapping[str, Any]) -> dict[str, Any]:
    """A body as hooks see it: without its card. No number and no code of one is anywhere else, for that is refused before.

    Integers that don't fit into 64 bits are shown as hexadecimal text; our schema takes none.
    """
    method = document.get("payment_method")
    if isinstance(method, dict) and "card" in method:
        without = {name: value for name, value in method.items() if name != "card"}
        document = {**document, "payment_method": without}
    shown: dict[str, Any] = _shown(document)
    return shown


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shown(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shown(each) for each in value]
    return f"{value:x}" if type(value) is int and value.bit_length() > _BITS else value
