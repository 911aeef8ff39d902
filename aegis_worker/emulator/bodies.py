"""Checks what a merchant posts. Like a real gateway, and unlike a mock, it refuses what it doesn't know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .replies import Refusal

MOST_AMOUNT = 99_999_999_999
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# What card networks take: 5 to 22 characters, printable ASCII without < > \ ' " *, with at least one letter.
_DESCRIPTOR = re.compile(r"(?=.{0,21}[A-Za-z])[ !#-&()+-;=?-\[\]-~]{5,22}")
_LONGEST_TOKEN = 512
_PAYER = {"email", "phone", "ip", "browser", "billing_address", "shipping_address"}
_METHODS = {
    "card": "token",
    "upi": "vpa",
    "net_banking": "bank_code",
    "wallet": "provider",
    "pay_later": "provider",
}


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`; an empty body is an empty object. Raises Refusal(400)."""
    try:
        body = json.loads(raw or b"{}")
    except ValueError as problem:
        raise Refusal(400, "invalid_json", "the body is no JSON") from problem
    if type(body) is not dict:
        raise Refusal(400, "invalid_json", "the body is no JSON object")
    return body


def check(
    body: Mapping[str, Any], fields: Mapping[str, Callable[[Any], bool]], required: frozenset[str]
) -> None:
    """Every field known and well-formed, every required one there. Raises Refusal(400)."""
    for name, value in body.items():
        if name not in fields:
            raise Refusal(400, "unknown_field", f"{name}: no such field")
        if not fields[name](value):
            raise Refusal(400, "invalid_field", f"{name}: not valid")
    missing = required - body.keys()
    if missing:
        raise Refusal(400, "missing_field", f"missing: {', '.join(sorted(missing))}")


def _is_text(value: Any, longest: int = 255) -> bool:
    return type(value) is str and 0 < len(value) <= longest and value.isprintable()


def _is_line(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= 255 and _CONTROL.search(value) is None


def _is_descriptor(value: Any) -> bool:
    return type(value) is str and _DESCRIPTOR.fullmatch(value) is not None


def _is_url(value: Any) -> bool:
    return type(value) is str and len(value) <= 2048 and value.startswith(("http://", "https://"))


def _is_amount(value: Any) -> bool:
    return type(value) is int and 0 < value <= MOST_AMOUNT


def _is_currency(value: Any) -> bool:
    return type(value) is str and len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()


def _is_metadata(value: Any) -> bool:
    return type(value) is dict and len(value) <= 50 and all(_is_text(text) for text in value.values())


def _is_method(value: Any) -> bool:
    if type(value) is not dict or value.get("type") not in _METHODS:
        return False
    named = _METHODS[value["type"]]
    longest = _LONGEST_TOKEN if named == "token" else 255
    return value.keys() == {"type", named} and _is_text(value[named], longest)


def _is_payer(value: Any) -> bool:
    return type(value) is dict and bool(value) and value.keys() <= _PAYER


def _is_order(value: Any) -> bool:
    return type(value) is list and 0 < len(value) <= 200 and all(type(line) is dict for line in value)


PAYMENT = {
    "reference": _is_text,
    "amount": _is_amount,
    "currency": _is_currency,
    "capture_method": lambda value: value in ("automatic", "manual"),
    "payment_method": _is_method,
    "metadata": _is_metadata,
    "return_url": _is_url,
    "description": lambda value: type(value) is str and len(value) <= 1000,
    "customer": _is_line,
    "statement_descriptor": _is_descriptor,
    "off_session": lambda value: type(value) is bool,
    "mandate": _is_text,
    "order_lines": _is_order,
    "payer": _is_payer,
    "three_ds": lambda value: type(value) is bool,
}
PAYMENT_REQUIRED = frozenset({"reference", "amount", "currency", "payment_method"})
OPERATION = {
    "challenge_result": _is_text,
    "reference": _is_text,
    "amount": _is_amount,
    "final": lambda value: type(value) is bool,
}
