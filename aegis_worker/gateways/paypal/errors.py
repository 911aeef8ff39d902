"""Reads PayPal's errors: developer.paypal.com/api/rest/responses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ..kit.reading import Unreadable, children, identifier, words


class PayPalError(Struct, frozen=True):
    """`issue`: the precise code where there is one, else the error's name. `field`: the JSON pointer of what is wrong."""

    issue: str
    message: str = ""
    field: str = ""


def read_error(body: Mapping[str, Any]) -> PayPalError:
    """The error of an answer, of the API or of OAuth (RFC 6749, 5.2). Raises Unreadable."""
    if "name" not in body and "error" in body:
        return PayPalError(identifier(body, "error"), words(body, "error_description"))
    name, details = identifier(body, "name"), body.get("details")
    first = children(body, "details")[0] if isinstance(details, list) and details else {}
    if not first.get("issue"):
        return PayPalError(name, words(body, "message"))
    return PayPalError(
        identifier(first, "issue"),
        words(first, "description") or words(body, "message"),
        _text(first, "field"),
    )


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if type(value) is not str:
        raise Unreadable(f"{name} is no text")
    return value
