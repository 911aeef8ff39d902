"""Reads Stripe's errors: docs.stripe.com/api/errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ..kit.reading import Unreadable, child, identifier, words


class StripeError(Struct, frozen=True):
    """`intent`: the PaymentIntent that the error shows, as JSON; None where it shows none. Empty texts: not told."""

    type: str
    code: str = ""
    decline_code: str = ""
    message: str = ""
    param: str = ""
    advice_code: str = ""
    network_advice_code: str = ""
    intent: Mapping[str, Any] | None = None


def read_error(body: Mapping[str, Any]) -> StripeError:
    """The error of an answer. Raises Unreadable."""
    return error_in(child(body, "error"))


def error_in(error: Mapping[str, Any]) -> StripeError:
    """An error object, such as an intent's `last_payment_error`. Raises Unreadable."""
    return StripeError(
        type=identifier(error, "type"),
        code=_word(error, "code"),
        decline_code=_word(error, "decline_code"),
        message=words(error, "message"),
        param=_word(error, "param"),
        advice_code=_word(error, "advice_code"),
        network_advice_code=_word(error, "network_advice_code"),
        intent=child(error, "payment_intent") if error.get("payment_intent") is not None else None,
    )


def _word(error: Mapping[str, Any], name: str) -> str:
    value = error.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise Unreadable(f"{name} is no word")
    return identifier(error, name)
