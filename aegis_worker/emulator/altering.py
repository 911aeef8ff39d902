"""Answers and events that say something wrong: another payment, another amount, another currency. Pure.

What is altered is found by its name, at any depth, so that one rule serves every wire format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .scripts import Wire

_PAYMENTS = frozenset(
    {
        "custom_id",
        "id",
        "invoice_id",
        "latest_charge",
        "merchantReference",
        "merchant_payment_id",
        "order_id",
        "payment_id",
        "payment_intent",
        "paymentPspReference",
        "pspReference",
        "receipt",
        "reference",
    }
)
_AMOUNTS = frozenset(
    {
        "amount",
        "amount_authorized",
        "amount_capturable",
        "amount_captured",
        "amount_due",
        "amount_paid",
        "amount_received",
        "amount_refunded",
        "value",
    }
)
_CURRENCIES = frozenset({"currency", "currency_code"})


# What XML has beside these.
_IN_XML = {
    Wire.OTHER_PAYMENT: frozenset({"order_id"}),
    Wire.OTHER_AMOUNT: frozenset({"amount_disputed"}),
    Wire.OTHER_CURRENCY: frozenset({"currency_iso_code"}),
}
_ELEMENT = re.compile(rb"<([\w-]+)([^<>]*)>([^<>]+)</\1>")


def altered(body: bytes, wire: Wire) -> bytes:
    """The JSON or XML in `body`, with each payment, amount or currency in it another one."""
    names, change = _ALTERATIONS[wire]
    if body.startswith(b"<"):
        return _ELEMENT.sub(lambda found: _changed_element(found, names | _IN_XML[wire], change), body)
    return json.dumps(_changed(json.loads(body), names, change)).encode()


def of_another_amount(body: bytes) -> bytes:
    """The JSON or XML in `body`, with each amount in it another one."""
    return altered(body, Wire.OTHER_AMOUNT)


def without_signature(body: bytes) -> bytes:
    """The JSON in `body` without the signatures that stand in it."""
    return json.dumps(_changed(json.loads(body), frozenset({"hmacSignature"}), lambda _: "")).encode()


def as_real_money(shown: Any) -> Any:
    """What says that it is a test says the opposite."""
    return _changed(
        shown, frozenset({"live", "livemode"}), lambda is_live: "true" if is_live == "false" else True
    )


def _changed(shown: Any, names: frozenset[str], change: Callable[[Any], Any]) -> Any:
    if isinstance(shown, Mapping):
        return {
            name: change(value)
            if name in names and isinstance(value, str | int)
            else _changed(value, names, change)
            for name, value in shown.items()
        }
    if isinstance(shown, list):
        return [_changed(one, names, change) for one in shown]
    return shown


def _changed_element(found: re.Match[bytes], names: frozenset[str], change: Callable[[Any], Any]) -> bytes:
    name, attributes, value = found.groups()
    if name.decode().replace("-", "_") not in names:
        return found[0]
    return b"<%s%s>%s</%s>" % (name, attributes, str(change(value.decode())).encode(), name)


def _another(name: str | int) -> str | int:
    """An id of the same form: its last letter or digit is the next one."""
    if isinstance(name, int) or not name:
        return name
    last = name[-1]
    following = {"9": "0", "z": "a", "Z": "A"}.get(last, chr(ord(last) + 1))
    return name[:-1] + following


def _more(amount: str | int) -> str | int:
    """One minor unit more. A decimal's last digit changes."""
    if isinstance(amount, int):
        return amount + 1
    return _another(amount) if amount[-1:].isdigit() else amount


def _other_currency(currency: str | int) -> str:
    return "CHF" if str(currency).isupper() else "chf"


_ALTERATIONS: dict[Wire, tuple[frozenset[str], Callable[[Any], Any]]] = {
    Wire.OTHER_PAYMENT: (_PAYMENTS, _another),
    Wire.OTHER_AMOUNT: (_AMOUNTS, _more),
    Wire.OTHER_CURRENCY: (_CURRENCIES, _other_currency),
}
