"""PayPal's answers as values, and flows of its adapter that are run by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import NotSent, Operation, Unknown
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.access_tokens import AccessTokens
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.paypal.adapter import PayPalAdapter
from aegis_worker.gateways.requests import GatewayRequest
from support.flows import run

SECRET, CLIENT, ACCOUNT, WEBHOOK = "secret_1", "client_1", "J7KZ2WXH8NG58", "8PT597110X687430LKGECATA"
PAYMENT, ORDER, HOLD = "pay_0123456789abcdef0123456789abcdef", "5O190127TN364715T", "0AW2184448108334S"
NOW_S = 1_790_000_000.0
MADE_AT = "2026-09-21T13:00:00Z"
WALLET = {"type": "wallet", "provider": "paypal"}
CARD = {"type": "card", "token": "vault_7"}
TERMS = PaymentTerms(Money(1999, "USD"), WALLET, return_url="https://shop.test/back?order=7")
CREATE = GatewayRequest(Operation.AUTHENTICATE, PAYMENT, f"{PAYMENT}-a1", TERMS)
CHARGE = replace(CREATE, operation=Operation.PROCESS, idempotency_key=f"{PAYMENT}-p1", gateway_ref=ORDER)
CAPTURE = replace(CHARGE, operation=Operation.CAPTURE, idempotency_key=f"{PAYMENT}c101")
VOID = replace(CHARGE, operation=Operation.VOID, idempotency_key=f"{PAYMENT}x102")
REFUND = replace(CHARGE, operation=Operation.REFUND, idempotency_key=f"{PAYMENT}b103")


def with_terms(request: GatewayRequest, **terms: Any) -> GatewayRequest:
    """The request with other terms."""
    return replace(request, terms=replace(request.terms, **terms))


def adapter(
    clock: Callable[[], float] = lambda: NOW_S, *, signed_in: bool = True, **config: Any
) -> PayPalAdapter:
    """The adapter, with an access token unless it is to fetch one."""
    options = {"client_id": CLIENT, "return_url": "https://shop.test/back", **config.pop("options", {})}
    given = {"account": ACCOUNT, "webhook_secrets": (WEBHOOK,), **config}
    url = given.pop("base_url", "https://api-m.sandbox.paypal.com")
    tokens = AccessTokens()
    if signed_in:
        tokens.keep("A21_token", 32_400.0)
    return PayPalAdapter(
        GatewayConfig("paypal", "paypal", url, SECRET, options=options, **given), clock, tokens
    )


def said(request: GatewayRequest, *answers: HttpAnswer | NotSent | Unknown, at_s: float = NOW_S) -> Any:
    """What the adapter makes of the answers to a request's calls."""
    return run(getattr(adapter(lambda: at_s), request.operation.value)(request), *answers)[0]


def answer(body: Any, status: int = 200, **headers: str) -> HttpAnswer:
    """An answer with this JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, named, body if isinstance(body, bytes) else json.dumps(body).encode())


def refusal(issue: str, status: int = 422, **headers: str) -> HttpAnswer:
    """An error with an issue."""
    details = [{"issue": issue, "description": f"what {issue} means"}]
    name = "UNPROCESSABLE_ENTITY" if status == 422 else "INVALID_REQUEST"
    return answer({"name": name, "message": "no", "debug_id": "d1", "details": details}, status, **headers)


def usd(value: str = "19.99") -> dict[str, str]:
    """An amount."""
    return {"currency_code": "USD", "value": value}


def order(status: str = "CREATED", intent: str = "CAPTURE", **payments: Any) -> dict[str, Any]:
    """An order of ours; `payments`: its authorizations, captures and refunds, and fields of the order by other names."""
    made = {
        name: payments.pop(name) for name in ("authorizations", "captures", "refunds") if name in payments
    }
    unit: dict[str, Any] = {
        "reference_id": "default",
        "invoice_id": f"{PAYMENT}-a1",
        "custom_id": PAYMENT,
        "amount": usd(),
        "payee": {"merchant_id": ACCOUNT},
    }
    link = {"rel": "payer-action", "href": f"https://www.sandbox.paypal.com/checkoutnow?token={ORDER}"}
    body: dict[str, Any] = {
        "id": ORDER,
        "status": status,
        "intent": intent,
        "create_time": MADE_AT,
        "purchase_units": [{**unit, "payments": made} if made else unit],
        "links": [link],
    }
    return body | payments


def capture(
    status: str = "COMPLETED", value: str = "19.99", id_: str = "2GG279541U471931P", **fields: Any
) -> Any:
    """A capture of the order, or of its hold."""
    return {
        "id": id_,
        "status": status,
        "amount": usd(value),
        "invoice_id": f"{PAYMENT}-a1",
        "custom_id": PAYMENT,
        "payee": {"merchant_id": ACCOUNT},
        "supplementary_data": {"related_ids": {"order_id": ORDER}},
        "create_time": MADE_AT,
        **fields,
    }


def hold(status: str = "CREATED", id_: str = HOLD, **fields: Any) -> dict[str, Any]:
    """An authorization of the order."""
    return {
        "id": id_,
        "status": status,
        "amount": usd(),
        "invoice_id": f"{PAYMENT}-a1",
        "create_time": MADE_AT,
        "expiration_time": "2026-10-20T13:00:00Z",
        "supplementary_data": {"related_ids": {"order_id": ORDER}},
        **fields,
    }


def refund(
    status: str = "COMPLETED", value: str = "19.99", id_: str = "1JU08902781691411", **fields: Any
) -> Any:
    """A refund of the first capture."""
    up = "https://api-m.sandbox.paypal.com/v2/payments/captures/2GG279541U471931P"
    return {
        "id": id_,
        "status": status,
        "amount": usd(value),
        "invoice_id": REFUND.idempotency_key,
        "links": [{"rel": "up", "href": up}],
        **fields,
    }
