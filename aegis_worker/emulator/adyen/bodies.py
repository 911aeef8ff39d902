"""Checks what a merchant posts, as Adyen does: what it does not know, or what is missing, it refuses. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .errors import Refused

_MOST_AMOUNT = 99_999_999_999
_PAYMENT = (
    "additionalData amount authenticationData billingAddress browserInfo captureDelayHours channel countryCode"
    " deliveryAddress lineItems merchantAccount merchantOrderReference metadata origin paymentMethod"
    " recurringProcessingModel reference returnUrl shopperEmail shopperIP shopperInteraction shopperLocale shopperName"
    " shopperReference shopperStatement store storePaymentMethod telephoneNumber"
)
FIELDS = {
    "pay": frozenset(_PAYMENT.split()),
    "details": frozenset({"authenticationData", "details", "paymentData", "threeDSAuthenticationOnly"}),
    "capture": frozenset({"amount", "lineItems", "merchantAccount", "reference"}),
    "refund": frozenset({"amount", "lineItems", "merchantAccount", "merchantRefundReason", "reference"}),
    "cancel": frozenset({"merchantAccount", "reference"}),
    "cancel_by_reference": frozenset({"merchantAccount", "paymentReference", "reference"}),
    "methods": frozenset({"amount", "channel", "countryCode", "merchantAccount", "shopperReference"}),
}
# What is missing is told with a code of its own for each.
_REQUIRED = {
    "pay": {
        "amount": "100",
        "merchantAccount": "901",
        "paymentMethod": "14_004",
        "reference": "130",
        "returnUrl": "14_030",
    },
    "details": {"details": "14_010"},
    "capture": {"amount": "100", "merchantAccount": "901"},
    "refund": {"amount": "100", "merchantAccount": "901"},
    "cancel": {"merchantAccount": "901"},
    "cancel_by_reference": {"merchantAccount": "901", "paymentReference": "130"},
    "methods": {"merchantAccount": "901"},
}


def parse(name: str, raw: bytes) -> dict[str, Any]:
    """The body of a call, with the fields that it needs and none that there isn't. Raises Refused(400 or 422)."""
    try:
        body = json.loads(raw)
    except ValueError as problem:
        raise Refused(400, "702", "Structure of the request is invalid") from problem
    if type(body) is not dict:
        raise Refused(400, "702", "Structure of the request is invalid")
    for field in body:
        if field not in FIELDS[name]:
            raise Refused(400, "702", f"Unable to parse: unrecognized field {field[:50]}")
    for field, code in _REQUIRED[name].items():
        if not body.get(field):
            raise Refused(422, code, f"Required field '{field}' is not provided.")
    return body


def money(body: Mapping[str, Any]) -> tuple[int, str]:
    """The amount, in Adyen's units, and its currency. Raises Refused(422)."""
    amount = body["amount"]
    value = amount.get("value") if type(amount) is dict else None
    currency = amount.get("currency") if type(amount) is dict else None
    if type(value) is not int or not 0 < value <= _MOST_AMOUNT:
        raise Refused(422, "137", "Invalid amount specified")
    if type(currency) is not str or len(currency) != 3 or not currency.isupper():
        raise Refused(422, "138", "Unsupported currency specified")
    return value, currency


def text(body: Mapping[str, Any], name: str, longest: int = 80) -> str:
    """A text, empty if there is none. Raises Refused(422)."""
    value = body.get(name, "")
    if type(value) is not str or len(value) > longest:
        raise Refused(422, "702", f"Invalid {name}")
    return value


def inner(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, empty if there is none. Raises Refused(422)."""
    value = body.get(name, {})
    if type(value) is not dict:
        raise Refused(422, "702", f"Invalid {name}")
    return value
