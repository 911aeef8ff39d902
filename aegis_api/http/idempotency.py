"""The Idempotency-Key of a request."""

from __future__ import annotations

from aegis_worker.domain.card_search import holds_card_data
from aegis_worker.domain.text import KEY_RULE, same_key

from .parts import asked
from .problems import RequestRefused
from .requests import refuse_card_numbers

_HEADER = "Idempotency-Key"


def usable_key() -> str | None:
    """The request's Idempotency-Key in canonical form; None for one that `idempotency_key` refuses."""
    given = asked().environ.get("HTTP_IDEMPOTENCY_KEY")
    key = None if given is None else same_key(given)
    return None if key is None or holds_card_data(key) else key


def idempotency_key() -> str:
    """The request's Idempotency-Key in canonical form. Raises RequestRefused if it is missing or invalid."""
    given = asked().environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        raise RequestRefused(
            "idempotency_key_missing",
            "Send an Idempotency-Key header: new for each payment, the same for each try.",
        )
    key = same_key(given)
    if key is None:
        fault = {"header": _HEADER, "code": "invalid_format", "detail": KEY_RULE}
        raise RequestRefused("idempotency_key_invalid", KEY_RULE, [fault])
    if holds_card_data(key):
        refuse_card_numbers([{"header": _HEADER}])
    return key
