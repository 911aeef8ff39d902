"""The calls to Razorpay's API v1. Pure: each function returns a call as a value.

An order moves nothing. Its payer pays in Checkout, without us, and Razorpay takes the money once we capture it: every order
says so, whatever the account is set to. Source: github.com/razorpay/markdown-docs, api/orders, api/payments, api/refunds,
and payments/payments/capture-settings/api.md for `payment`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from ..kit.flows import HttpCall
from ..requests import GatewayRequest
from .amounts import AMOUNTS
from .methods import noted_method

# What is not captured within this time of its payment Razorpay gives back by itself.
HELD_FOR = timedelta(days=3)
REFUNDS_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Calls:
    """Writes the calls of one account."""

    key_id: str
    secret: str = field(repr=False)

    def create(self, request: GatewayRequest) -> HttpCall:
        """Make an order. The same receipt again is the same order. Raises AmountNotTaken."""
        body = {
            "amount": AMOUNTS.written(request.amount),
            "currency": request.amount.currency,
            "receipt": request.idempotency_key,
            "unique_receipt": True,
            "payment": {
                "capture": "manual",
                "capture_options": {
                    "manual_expiry_period": HELD_FOR // timedelta(minutes=1),
                    "refund_speed": "normal",
                },
            },
            "notes": {**_noted(request), **noted_method(request.terms.payment_method)},
        }
        return self._post("/v1/orders", body)

    def capture(self, request: GatewayRequest, payment_id: str) -> HttpCall:
        """Take the money of a payment: all of it, once. There is no key. Raises AmountNotTaken."""
        body = {"amount": AMOUNTS.written(request.amount), "currency": request.amount.currency}
        return self._post(f"/v1/payments/{_quoted(payment_id)}/capture", body)

    def refund(self, request: GatewayRequest, payment_id: str) -> HttpCall:
        """Give a part or all of a captured payment back. Raises AmountNotTaken."""
        body = {
            "amount": AMOUNTS.written(request.amount),
            "speed": "normal",
            "receipt": request.idempotency_key,
            "notes": _noted(request),
        }
        key = {"X-Refund-Idempotency": request.idempotency_key}
        return self._post(f"/v1/payments/{_quoted(payment_id)}/refund", body, key)

    def order(self, order_id: str | None) -> HttpCall:
        """The call that shows an order."""
        return self._get(f"/v1/orders/{_quoted(order_id)}")

    def orders_with(self, receipt: str) -> HttpCall:
        """The call that shows the orders with a receipt."""
        return self._get(f"/v1/orders?receipt={_quoted(receipt)}")

    def payments_of(self, order_id: str | None) -> HttpCall:
        """The call that shows the payments of an order."""
        return self._get(f"/v1/orders/{_quoted(order_id)}/payments")

    def payment(self, payment_id: str) -> HttpCall:
        """The call that shows a payment."""
        return self._get(f"/v1/payments/{_quoted(payment_id)}")

    def refund_by_id(self, refund_id: str) -> HttpCall:
        """The call that shows a refund."""
        return self._get(f"/v1/refunds/{_quoted(refund_id)}")

    def refunds_of(self, payment_id: str, skip: int) -> HttpCall:
        """The call that shows the refunds of a payment, after the first `skip`."""
        page = f"count={REFUNDS_A_PAGE}&skip={skip}"
        return self._get(f"/v1/payments/{_quoted(payment_id)}/refunds?{page}")

    def dispute(self, dispute_id: str) -> HttpCall:
        """The call that shows a dispute."""
        return self._get(f"/v1/disputes/{_quoted(dispute_id)}")

    def probe(self) -> HttpCall:
        """One harmless call."""
        return self._get("/v1/orders?count=1")

    def _headers(self) -> dict[str, str]:
        pair = base64.b64encode(f"{self.key_id}:{self.secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}

    def _get(self, path: str) -> HttpCall:
        return HttpCall("GET", path, self._headers(), only_reads=True)

    def _post(self, path: str, body: Mapping[str, Any], more: Mapping[str, str] | None = None) -> HttpCall:
        return HttpCall("POST", path, {**self._headers(), **(more or {})}, json.dumps(body).encode())


def _noted(request: GatewayRequest) -> dict[str, str]:
    return {"merchant_payment_id": request.payment_id, "reference": request.idempotency_key}


def _quoted(ref: str | None) -> str:
    return quote(ref or "", safe="")
