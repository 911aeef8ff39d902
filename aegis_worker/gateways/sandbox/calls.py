"""The calls to the sandbox gateway. Pure: each function returns a call as a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aegis_worker.domain.outcomes import Operation

from ..kit.amounts import ISO_AMOUNTS
from ..kit.flows import HttpCall
from ..requests import GatewayRequest, StatusQuery
from .payment import VERBS

# The path of a payment's first call. Later calls go to the payment that it made.
FIRST_CALLS = {
    Operation.INITIATE: "/v1/payments",
    Operation.AUTHENTICATE: "/v1/authentications",
    Operation.PROCESS: "/v1/charges",
}
# What each type of payment method is given by.
INSTRUMENTS = {
    "card": "token",
    "upi": "vpa",
    "net_banking": "bank_code",
    "wallet": "provider",
    "pay_later": "provider",
}
# What a payer may bring back: the rest of it is not the sandbox's.
_BROUGHT_BACK = ("challenge_result",)
# Nobody listens on port 1, so the kernel refuses the connection, as the token `tok_refused` asks for.
_REFUSING_URL = "http://127.0.0.1:1"


def call_for(request: GatewayRequest, headers: Mapping[str, str]) -> HttpCall:
    """The call of an operation, under its idempotency key."""
    if request.gateway_ref is None:
        path, body = FIRST_CALLS[request.operation], _new_payment(request)
    else:
        path = f"/v1/payments/{quote(request.gateway_ref, safe='')}/{VERBS[request.operation]}"
        body = {"reference": request.idempotency_key}
        if request.operation in (Operation.CAPTURE, Operation.REFUND):
            body["amount"] = ISO_AMOUNTS.written(request.amount)
        if request.operation is Operation.CAPTURE:
            body["final"] = request.final
        if request.confirm is not None and request.confirm.data is not None:
            body |= {
                name: request.confirm.data[name] for name in _BROUGHT_BACK if name in request.confirm.data
            }
    return HttpCall(
        "POST", path, {**headers, "Idempotency-Key": request.idempotency_key}, json.dumps(body).encode()
    )


def refused_call(call: HttpCall) -> HttpCall:
    """The same call sent to an address that refuses it, without anything that only the gateway may know."""
    return HttpCall(call.method, call.path, body=call.body, base_url=_REFUSING_URL)


def look_up_by_id(query: StatusQuery, headers: Mapping[str, str]) -> HttpCall:
    """The call that shows one payment."""
    path = f"/v1/payments/{quote(query.gateway_ref or '', safe='')}"
    return HttpCall("GET", path, headers, only_reads=True)


def look_up_by_reference(query: StatusQuery, headers: Mapping[str, str]) -> HttpCall:
    """The call that lists the payments on which something was done under our reference."""
    path = f"/v1/payments?reference={quote(query.reference, safe='')}"
    return HttpCall("GET", path, headers, only_reads=True)


def probe_call(headers: Mapping[str, str]) -> HttpCall:
    """A call that moves nothing: a look-up of a payment that there can't be."""
    return HttpCall("GET", "/v1/payments/spay_of_nobody", headers, only_reads=True)


def _new_payment(request: GatewayRequest) -> dict[str, Any]:
    terms = request.terms
    method = terms.payment_method
    instrument = INSTRUMENTS[method["type"]]
    body = {
        "reference": request.idempotency_key,
        "amount": ISO_AMOUNTS.written(terms.amount),
        "currency": terms.amount.currency,
        "capture_method": terms.capture_method,
        "payment_method": {"type": method["type"], instrument: method[instrument]},
        "metadata": {"merchant_payment_id": request.payment_id},
    }
    optional = {
        "customer": terms.customer.get("id"),
        "description": terms.description,
        "return_url": terms.return_url,
        "statement_descriptor": terms.statement_descriptor,
        "off_session": terms.off_session,
        "mandate": terms.mandate,
        "order_lines": terms.order_lines and list(terms.order_lines),
        "payer": request.payer and dict(request.payer.details),
        "three_ds": request.three_ds,
    }
    return body | {name: value for name, value in optional.items() if value}
