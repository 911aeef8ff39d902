"""The calls to Adyen's Checkout API, version 71. Pure: each function returns a call as a value.

One call charges. After 3-D Secure `/payments/details` moves the money. Captures, cancels and refunds are only taken in:
what becomes of them is told by a webhook. Source: docs.adyen.com/api-explorer/Checkout/71/overview.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from aegis_worker.domain.cards import Card
from aegis_worker.domain.outcomes import Operation

from ..kit.flows import HttpCall
from ..requests import GatewayRequest
from .amounts import AMOUNTS
from .charges import is_our_own
from .methods import by_number, payment_method
from .payer import payer_fields
from .references import as_adyen_writes

_VERSION = "/v71"
# What Adyen takes on a statement; a descriptor with anything else is left out, because the payment would be refused for it.
_STATEMENT = re.compile(r"[A-Za-z0-9 .,'_\-?+*/]{1,22}")
# What a payer can bring back: the API's PaymentCompletionDetails.
_BROUGHT_BACK = frozenset(
    {
        "MD",
        "PaReq",
        "PaRes",
        "authorization_token",
        "billingToken",
        "cupsecureplus.smscode",
        "facilitatorAccessToken",
        "oneTimePasscode",
        "orderID",
        "payerID",
        "payload",
        "paymentID",
        "paymentStatus",
        "redirectResult",
        "resultCode",
        "returnUrlQueryString",
        "threeDSResult",
        "threeds2.challengeResult",
        "threeds2.fingerprint",
        "vaultToken",
    }
)


class NothingBroughtBack(ValueError):
    """What came with a confirm holds nothing that Adyen knows."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Writes the calls of one merchant account. `return_url`: where payers come back to if their payment names no page."""

    api_key: str
    merchant_account: str
    return_url: str

    def of(self, request: GatewayRequest, card: Card | None = None) -> HttpCall:
        """The call of an operation, under its idempotency key. `card`: that of the vault which it carries, where it does.

        Raises AmountNotTaken and NothingBroughtBack.
        """
        path, fields = _WRITTEN[request.operation](self, request)
        if card is not None:
            fields |= by_number(card, request.terms)
        given = {name: value for name, value in fields.items() if value is not None}
        headers = {**self._headers, "Idempotency-Key": request.idempotency_key}
        return HttpCall("POST", _VERSION + path, headers, json.dumps(given).encode())

    def probe(self) -> HttpCall:
        """A call that moves nothing: which methods the account takes."""
        body = json.dumps({"merchantAccount": self.merchant_account}).encode()
        return HttpCall("POST", f"{_VERSION}/paymentMethods", self._headers, body, only_reads=True)

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-API-Key": self.api_key, "Content-Type": "application/json"}

    def pay(self, request: GatewayRequest) -> tuple[str, dict[str, Any]]:
        """Charge, or hold the funds. Without a return URL 3-D Secure is done in the shop's page where Adyen can.

        A demand for it overrides the account's own rules: the API's AuthenticationData.
        """
        terms, off_session = request.terms, bool(request.terms.off_session)
        fields = {
            "merchantAccount": self.merchant_account,
            "amount": _money(request),
            "reference": request.idempotency_key,
            "returnUrl": terms.return_url or self.return_url,
            **payment_method(terms),
            **payer_fields(request.payer),
            **_capturing(request),
            "lineItems": _lines(request),
            "shopperStatement": _statement(terms.statement_descriptor),
            "metadata": {"merchant_payment_id": request.payment_id},
        }
        if terms.payment_method["type"] == "card" and terms.return_url is None and not off_session:
            fields |= _in_the_page(self.return_url)
        if request.three_ds:
            fields["authenticationData"] = {
                **fields.get("authenticationData", {}),
                "attemptAuthentication": "always",
            }
        return "/payments", fields

    def hand_over(self, request: GatewayRequest) -> tuple[str, dict[str, Any]]:
        """What the payer brought back: as Adyen's library gives it (`details`, `paymentData`), or the details alone."""
        data = (request.confirm.data if request.confirm is not None else None) or {}
        inner = data.get("details")
        given = inner if isinstance(inner, dict) else data
        details = {name: text for name, text in given.items() if name in _BROUGHT_BACK and type(text) is str}
        if not details:
            raise NothingBroughtBack("neither details nor a redirectResult")
        payment_data = data.get("paymentData")
        more = {"paymentData": payment_data} if type(payment_data) is str else {}
        return "/payments/details", {"details": details, **more}

    def capture(self, request: GatewayRequest) -> tuple[str, dict[str, Any]]:
        """Capture a part or all of a hold."""
        return f"{_of_payment(request)}/captures", self._change(request) | {"amount": _money(request)}

    def refund(self, request: GatewayRequest) -> tuple[str, dict[str, Any]]:
        """Give back a part or all of a charge."""
        return f"{_of_payment(request)}/refunds", self._change(request) | {"amount": _money(request)}

    def cancel(self, request: GatewayRequest) -> tuple[str, dict[str, Any]]:
        """Release a hold, by Adyen's reference or, where the payment has none yet, by ours."""
        ref = request.gateway_ref or ""
        if is_our_own(ref):
            return "/cancels", self._change(request) | {"paymentReference": ref}
        return f"{_of_payment(request)}/cancels", self._change(request)

    def _change(self, request: GatewayRequest) -> dict[str, Any]:
        return {"merchantAccount": self.merchant_account, "reference": request.idempotency_key}


def _capturing(request: GatewayRequest) -> dict[str, Any]:
    """Each request says it, so that the account's own setting does not matter."""
    return {"captureDelayHours": 0} if request.capture else {"additionalData": {"manualCapture": "true"}}


def _in_the_page(return_url: str) -> dict[str, Any]:
    """What native 3-D Secure needs: docs.adyen.com/online-payments/3d-secure/native-3ds2/web-component."""
    shop = urlsplit(return_url)
    return {
        "channel": "Web",
        "origin": f"{shop.scheme}://{shop.netloc}",
        "authenticationData": {"threeDSRequestData": {"nativeThreeDS": "preferred"}},
    }


def _lines(request: GatewayRequest) -> list[dict[str, Any]] | None:
    return [
        {
            "description": line["name"],
            "quantity": line["quantity"],
            **({"id": line["reference"]} if line.get("reference") else {}),
        }
        for line in request.terms.order_lines or ()
    ] or None


def _statement(descriptor: str | None) -> str | None:
    return descriptor if descriptor is not None and _STATEMENT.fullmatch(descriptor) else None


def _money(request: GatewayRequest) -> dict[str, Any]:
    return {"value": AMOUNTS.written(request.amount), "currency": request.amount.currency}


def _of_payment(request: GatewayRequest) -> str:
    return f"/payments/{quote(as_adyen_writes(request.gateway_ref or ''), safe='')}"


_WRITTEN = {
    Operation.PROCESS: Calls.pay,
    Operation.CONFIRM: Calls.hand_over,
    Operation.CAPTURE: Calls.capture,
    Operation.VOID: Calls.cancel,
    Operation.REFUND: Calls.refund,
}
