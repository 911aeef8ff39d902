"""Checks what is posted: what Razorpay does not know, or what is missing, it refuses. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from .errors import INPUT, Refused, invalid

_FIELDS = {
    "create": "amount currency notes partial_payment payment payment_capture receipt unique_receipt",
    "capture": "amount currency",
    "refund": "amount notes receipt speed",
    "pay": "bank callback_url contact email method notes provider token vpa wallet",
}
_MOST_AMOUNT = 99_999_999_999
_LEAST = {"INR": 100}
_THREE_DECIMALS = frozenset({"BHD", "KWD", "OMR"})
_CODES = (
    "AED ALL AMD ARS AUD BDT BHD BRL CAD CHF CNY COP CZK DKK DZD EGP EUR GBP HKD HUF IDR ILS INR JPY KES KRW KWD LKR MAD"
    " MUR MXN MYR NGN NOK NPR NZD OMR PHP PKR PLN QAR RON RUB SAR SEK SGD THB TRY TWD UAH USD UYU VND ZAR"
)
_CURRENCIES = frozenset(_CODES.split())
_LONGEST_RECEIPT, _MOST_NOTES, _LONGEST_NOTE = 40, 15, 256
# Minutes, of when a payment that was not captured is refunded: razorpay.com/docs/payments/payments/capture-settings/api.
_LEAST_AUTOMATIC, _MOST_MANUAL = 12, 7200


def parse(name: str, raw: bytes) -> dict[str, Any]:
    """The body of a call with no field that there isn't. Raises Refused(400)."""
    try:
        body = json.loads(raw or b"{}")
    except ValueError as problem:
        raise Refused("The request body is not valid JSON.", where=INPUT) from problem
    if type(body) is not dict:
        raise Refused("The request body is not valid JSON.", where=INPUT)
    return _known(name, body)


def parse_form(name: str, raw: bytes) -> dict[str, Any]:
    """The same, of what a page has posted."""
    return _known(name, {field: value for field, value in parse_qsl(raw.decode("utf-8", "replace")) if value})


def _known(name: str, body: dict[str, Any]) -> dict[str, Any]:
    extra = [field[:50] for field in body if field not in _FIELDS[name].split()]
    if extra:
        description = f"{', '.join(extra)} is/are not required and should not be sent"
        raise Refused(description, where=("business", "payment_initiation", "extra_field_sent"))
    return body


def currency_of(body: Mapping[str, Any]) -> str:
    """Raises Refused(400)."""
    value = body.get("currency")
    if value is None:
        raise invalid("The currency field is required.", "currency")
    if value not in _CURRENCIES:
        raise Refused(
            "The currency is not supported.",
            where=("business", "payment_initiation", "invalid_currency"),
            field="currency",
        )
    return str(value)


def amount_of(body: Mapping[str, Any], currency: str) -> int:
    """In minor units; a text of digits counts as a number, as Razorpay's own examples send it. Raises Refused(400)."""
    value = body.get("amount")
    if value is None:
        raise invalid("The amount field is required.", "amount")
    if type(value) is str and value.isascii() and value.isdecimal():
        value = int(value[:15])
    if type(value) is not int:
        raise invalid("The amount must be an integer.", "amount")
    least = _LEAST.get(currency, 1)
    if not least <= value <= _MOST_AMOUNT:
        raise invalid(
            f"The amount must be at least {currency} {least / 100:.2f}"
            if value < least
            else "Amount exceeds maximum amount allowed.",
            "amount",
        )
    if currency in _THREE_DECIMALS and value % 10:
        raise invalid(f"The amount in {currency} must end in 0.", "amount")
    return value


def text(body: Mapping[str, Any], name: str, longest: int = 255) -> str:
    """A text, empty if there is none. Raises Refused(400)."""
    value = body.get(name, "")
    if type(value) is not str:
        raise invalid(f"The {name} must be a string.", name)
    if len(value) > longest:
        raise invalid(f"{name}: the length must be no more than {longest}.", name)
    return value


def receipt_of(body: Mapping[str, Any]) -> str:
    """The merchant's own reference, empty if there is none. Raises Refused(400)."""
    return text(
        {name: value for name, value in body.items() if value is not None}, "receipt", _LONGEST_RECEIPT
    )


def notes_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Up to 15 texts by name. Raises Refused(400)."""
    value = body.get("notes") or {}
    if type(value) is not dict or len(value) > _MOST_NOTES:
        raise invalid(f"The notes may have no more than {_MOST_NOTES} fields.", "notes")
    shown = {str(name): str(one) for name, one in value.items()}
    if any(len(one) > _LONGEST_NOTE for one in shown.values()):
        raise invalid(f"The notes may have no more than {_LONGEST_NOTE} characters each.", "notes")
    return shown


def truth(body: Mapping[str, Any], name: str) -> bool:
    """True or false, as JSON or as 0 and 1. Raises Refused(400)."""
    value = body.get(name, False)
    if value in (True, False) or value in ("0", "1"):
        return value in (True, "1")
    raise invalid(f"The {name} field must be true or false.", name)


def capture_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """When what was paid is captured: `capture` is automatic or manual. Raises Refused(400).

    In minutes after a payment's creation: until when it is captured automatically (None: always), and when it is given back
    if it was not captured (None: as the account has it).
    """
    if "payment" not in body:
        is_automatic = truth(body, "payment_capture") if "payment_capture" in body else True
        return _captured("automatic" if is_automatic else "manual", None, None)
    payment = body["payment"]
    options = payment.get("capture_options", {}) if type(payment) is dict else None
    if type(options) is not dict or payment.get("capture") not in ("automatic", "manual"):
        raise invalid("The payment.capture field must be automatic or manual.", "payment")
    automatic, manual = options.get("automatic_expiry_period"), options.get("manual_expiry_period")
    if payment["capture"] == "automatic" and not (type(automatic) is int and automatic >= _LEAST_AUTOMATIC):
        raise invalid(f"The automatic_expiry_period must be at least {_LEAST_AUTOMATIC}.", "payment")
    if manual is not None and not (type(manual) is int and (automatic or 0) <= manual <= _MOST_MANUAL):
        raise invalid(f"The manual_expiry_period may not be greater than {_MOST_MANUAL}.", "payment")
    return _captured(payment["capture"], automatic, manual)


def _captured(how: str, automatic_minutes: int | None, manual_minutes: int | None) -> dict[str, Any]:
    return {"capture": how, "automatic_minutes": automatic_minutes, "manual_minutes": manual_minutes}
