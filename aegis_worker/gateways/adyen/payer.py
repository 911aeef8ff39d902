"""Who pays, as Adyen wants to know it. Pure.

Adyen takes a browser or an address whole or not at all: one that lacks a field it demands is left out, because it would
have the payment refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.payer import FIELDS, Payer

TAKEN = FIELDS
_BROWSER = {
    "accept_header": "acceptHeader",
    "color_depth": "colorDepth",
    "java_enabled": "javaEnabled",
    "language": "language",
    "screen_height": "screenHeight",
    "screen_width": "screenWidth",
    "time_zone_offset": "timeZoneOffset",
    "user_agent": "userAgent",
}
# Street and number stand together in our first line; Adyen wants a value for the number all the same.
_NO_NUMBER = "N/A"


def payer_fields(payer: Payer | None) -> dict[str, Any]:
    """The fields of the request that say who pays."""
    if payer is None:
        return {}
    details = payer.details
    return {
        "shopperEmail": details.get("email"),
        "shopperIP": details.get("ip"),
        "telephoneNumber": details.get("phone"),
        "browserInfo": _browser(details.get("browser")),
        "billingAddress": _address(details.get("billing_address")),
        "deliveryAddress": _address(details.get("shipping_address")),
    }


def _browser(browser: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not browser or not _BROWSER.keys() <= browser.keys():
        return None
    return {theirs: browser[ours] for ours, theirs in _BROWSER.items()}


def _address(place: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not place or not {"line1", "city", "postal_code", "country"} <= place.keys():
        return None
    written = {
        "street": place["line1"],
        "houseNumberOrName": place.get("line2", _NO_NUMBER),
        "city": place["city"],
        "postalCode": place["postal_code"],
        "country": place["country"],
    }
    return written | ({"stateOrProvince": place["state"]} if "state" in place else {})
