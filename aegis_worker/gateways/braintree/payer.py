"""Who pays, as Braintree wants to know it. Pure.

Source: developer.paypal.com/braintree/docs/reference/request/transaction/sale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.payer import FIELDS, Payer

TAKEN = FIELDS
_LONGEST = 255
_ADDRESS = {
    "street-address": "line1",
    "extended-address": "line2",
    "locality": "city",
    "region": "state",
    "postal-code": "postal_code",
    "country-code-alpha2": "country",
}


def payer_fields(payer: Payer | None) -> dict[str, Any]:
    """The fields of a sale that say who pays. None of them is kept in Braintree's vault by it."""
    if payer is None:
        return {}
    details, browser = payer.details, payer.details.get("browser") or {}
    return {
        "customer": _given({"email": details.get("email"), "phone": details.get("phone")}),
        "billing": _address(details.get("billing_address")),
        "shipping": _address(details.get("shipping_address")),
        "risk-data": _given(
            {"customer-ip": details.get("ip"), "customer-browser": _cut(browser.get("user_agent"))}
        ),
    }


def _address(place: Mapping[str, Any] | None) -> dict[str, str] | None:
    if not place:
        return None
    # A whole name has a place in Braintree's two as the last.
    names = {"last-name": place.get("name"), **{theirs: place.get(ours) for theirs, ours in _ADDRESS.items()}}
    return _given({theirs: _cut(value) for theirs, value in names.items()})


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:_LONGEST]


def _given(fields: Mapping[str, str | None]) -> dict[str, str] | None:
    given = {name: value for name, value in fields.items() if value is not None}
    return given or None
