"""The calls to PayPal's Orders v2 and Payments v2. Pure: each function returns a call as a value.

A charge takes two: an order is made, which moves nothing, and then captured or authorized by its id, so that a look-up by
id settles every doubt about the money. Source: developer.paypal.com/docs/api/orders/v2, …/payments/v2.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aegis_worker.domain.money import Money

from ..kit.flows import HttpCall
from ..requests import GatewayRequest
from .amounts import AMOUNTS
from .sources import (
    card_to_authenticate,
    is_authenticated,
    is_saved,
    saved,
    wallet_to_approve,
)

# What PayPal takes on a statement; a descriptor with anything else is left out.
_STATEMENT = re.compile(r"[A-Za-z0-9 .*-]{1,22}")
_LONGEST_DESCRIPTION = 127
_ORDERS, _PAYMENTS = "/v2/checkout/orders", "/v2/payments"


@dataclass(frozen=True, slots=True)
class Calls:
    """Writes the calls of one account. `return_url`: where payers come back to if their payment names no page."""

    client_id: str
    secret: str = field(repr=False)
    account: str
    return_url: str

    def token(self) -> HttpCall:
        """The call that gets an access token: developer.paypal.com/api/rest/authentication."""
        pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"}
        # Another token does no harm, so the call may be resent.
        return HttpCall(
            "POST", "/v1/oauth2/token", headers, b"grant_type=client_credentials", only_reads=True
        )

    def create(self, request: GatewayRequest) -> HttpCall:
        """Make an order, without anything that could be charged at once. Raises AmountNotTaken."""
        terms, place = request.terms, _shipping(request)
        unit = {
            "invoice_id": request.idempotency_key,
            "custom_id": request.payment_id,
            "amount": _money(request.amount),
            "payee": {"merchant_id": self.account},
            "description": (terms.description or "")[:_LONGEST_DESCRIPTION] or None,
            "soft_descriptor": _statement(terms.statement_descriptor),
            "shipping": place,
        }
        body = {
            "intent": "CAPTURE" if request.capture else "AUTHORIZE",
            "purchase_units": [_given(unit)],
            "payment_source": None
            if is_saved(terms)
            else wallet_to_approve(self._return_url(request), ships=place is not None),
        }
        return _post(_ORDERS, request.idempotency_key, _given(body))

    def confirm_source(self, request: GatewayRequest, order_id: str) -> HttpCall:
        """Say with which card the order is to be paid, and have its holder authenticated if need be. It takes no key."""
        source = card_to_authenticate(request.terms, self._return_url(request), always=request.three_ds)
        body = {"payment_source": source}
        return _post(f"{_ORDERS}/{_quoted(order_id)}/confirm-payment-source", None, body)

    def charge(self, request: GatewayRequest) -> HttpCall:
        """Take the money of the order, or hold it."""
        terms = request.terms
        at_once = is_saved(terms) and not is_authenticated(terms)
        action = "capture" if request.capture else "authorize"
        path = f"{_ORDERS}/{_quoted(request.gateway_ref)}/{action}"
        return _post(path, request.idempotency_key, {"payment_source": saved(terms)} if at_once else {})

    def capture(self, request: GatewayRequest, authorization_id: str) -> HttpCall:
        """Capture a part or all of a hold. Raises AmountNotTaken."""
        body = {
            "amount": _money(request.amount),
            "invoice_id": request.idempotency_key,
            "final_capture": request.final,
        }
        return _post(f"{_authorization(authorization_id)}/capture", request.idempotency_key, body)

    def reauthorize(self, request: GatewayRequest, authorization_id: str, amount: Money) -> HttpCall:
        """Have PayPal honour the hold for another three days, before the capture that the request is of."""
        path = f"{_authorization(authorization_id)}/reauthorize"
        return _post(path, f"{request.idempotency_key}-again", {"amount": _money(amount)})

    def void(self, authorization_id: str) -> HttpCall:
        """Release a hold. PayPal takes no key for it."""
        return _post(f"{_authorization(authorization_id)}/void", None, {})

    def refund(self, request: GatewayRequest, capture_id: str) -> HttpCall:
        """Give a part or all of a capture back. Raises AmountNotTaken."""
        body = {
            "amount": _money(request.amount),
            "invoice_id": request.idempotency_key,
            "custom_id": request.payment_id,
        }
        return _post(f"{_PAYMENTS}/captures/{_quoted(capture_id)}/refund", request.idempotency_key, body)

    def _return_url(self, request: GatewayRequest) -> str:
        return request.terms.return_url or self.return_url


def look_up_order(order_id: str | None) -> HttpCall:
    """The call that shows an order with all that was made of it."""
    return _get(f"{_ORDERS}/{_quoted(order_id)}")


def look_up_capture(capture_id: str) -> HttpCall:
    """The call that shows a capture."""
    return _get(f"{_PAYMENTS}/captures/{_quoted(capture_id)}")


def look_up_refund(refund_id: str) -> HttpCall:
    """The call that shows a refund."""
    return _get(f"{_PAYMENTS}/refunds/{_quoted(refund_id)}")


def look_up_dispute(dispute_id: str) -> HttpCall:
    """The call that shows a dispute: developer.paypal.com/docs/api/customer-disputes/v1."""
    return _get(f"/v1/customer/disputes/{_quoted(dispute_id)}")


def _get(path: str) -> HttpCall:
    return HttpCall("GET", path, {"Content-Type": "application/json"}, only_reads=True)


def _post(path: str, key: str | None, body: Mapping[str, Any]) -> HttpCall:
    """Each answer is to show all of what was made, because only then it says whose it is."""
    headers = {"Content-Type": "application/json", "Prefer": "return=representation"}
    keyed = headers if key is None else {**headers, "PayPal-Request-Id": key}
    return HttpCall("POST", path, keyed, json.dumps(body).encode())


def _money(amount: Money) -> dict[str, str]:
    return {"currency_code": amount.currency, "value": AMOUNTS.written_decimal(amount)}


def _authorization(authorization_id: str) -> str:
    return f"{_PAYMENTS}/authorizations/{_quoted(authorization_id)}"


def _shipping(request: GatewayRequest) -> dict[str, Any] | None:
    """Where the goods go. PayPal wants a name, a line, a city and a country, or nothing."""
    place = request.payer.details.get("shipping_address") if request.payer is not None else None
    if not place or not all(place.get(name) for name in ("name", "line1", "city", "country")):
        return None
    lines = {
        "address_line_1": place["line1"],
        "address_line_2": place.get("line2"),
        "admin_area_2": place["city"],
        "admin_area_1": place.get("state"),
        "postal_code": place.get("postal_code"),
        "country_code": place["country"],
    }
    return {"name": {"full_name": place["name"]}, "address": _given(lines)}


def _statement(descriptor: str | None) -> str | None:
    return descriptor if descriptor is not None and _STATEMENT.fullmatch(descriptor) else None


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _quoted(ref: str | None) -> str:
    return quote(ref or "", safe="")
