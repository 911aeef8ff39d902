"""Razorpay's answers as values, and flows of its adapter that are run by hand."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import NotSent, Operation, Unknown
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.razorpay.adapter import RazorpayAdapter
from aegis_worker.gateways.requests import GatewayRequest
from support.flows import run

KEY_ID, SECRET, ACCOUNT, WEBHOOK = "rzp_test_1DP5mmOlF5G5ag", "secret_1", "acc_BFQ7uQEaa7j2z7", "whsec_1"
PAYMENT, ORDER, PAID = "pay_0123456789abcdef0123456789abcdef", "order_DESlLckIVRkHWj", "pay_DESlfW9H8K9uqM"
RECEIPT, MADE_AT_S = f"{PAYMENT}-a1", 1_790_000_000
TERMS = PaymentTerms(Money(50_000, "INR"), {"type": "upi"})
HOLD_TERMS = PaymentTerms(Money(50_000, "INR"), {"type": "card"}, "manual")
CREATE = GatewayRequest(Operation.AUTHENTICATE, PAYMENT, RECEIPT, TERMS)
CONFIRM = replace(CREATE, operation=Operation.CONFIRM, idempotency_key=f"{PAYMENT}-d1", gateway_ref=ORDER)
CHARGE = replace(CONFIRM, operation=Operation.PROCESS, idempotency_key=f"{PAYMENT}-p1")
HOLD = replace(CHARGE, terms=HOLD_TERMS)
CAPTURE = replace(HOLD, operation=Operation.CAPTURE, idempotency_key=f"{PAYMENT}c101")
VOID = replace(HOLD, operation=Operation.VOID, idempotency_key=f"{PAYMENT}x102")
REFUND = replace(CHARGE, operation=Operation.REFUND, idempotency_key=f"{PAYMENT}b103")


def of(request: GatewayRequest, minor: int, currency: str = "INR") -> GatewayRequest:
    """The request with another amount."""
    return replace(request, terms=replace(request.terms, amount=Money(minor, currency)))


def paid_by(request: GatewayRequest, **method: str) -> GatewayRequest:
    """The request with another payment method."""
    return replace(request, terms=replace(request.terms, payment_method=method))


def brought(data: Any) -> GatewayRequest:
    """The confirm of what the payer brought back."""
    return replace(CONFIRM, confirm=Confirm(1, "digest", data))


def signature(order_id: str = ORDER, payment_id: str = PAID, secret: str = SECRET) -> str:
    """Checkout's."""
    return hmac.new(secret.encode(), f"{order_id}|{payment_id}".encode(), hashlib.sha256).hexdigest()


def from_checkout(**fields: Any) -> dict[str, Any]:
    """What Checkout gives the shop's page of a payment that was made."""
    return {
        "razorpay_payment_id": PAID,
        "razorpay_order_id": ORDER,
        "razorpay_signature": signature(),
        **fields,
    }


def adapter(**config: Any) -> RazorpayAdapter:
    """The adapter."""
    options = {"key_id": KEY_ID, **config.pop("options", {})}
    given = {"account": ACCOUNT, "webhook_secrets": (WEBHOOK,), **config}
    return RazorpayAdapter(
        GatewayConfig("razorpay", "razorpay", "https://api.razorpay.com", SECRET, options=options, **given)
    )


def said(request: GatewayRequest, *answers: HttpAnswer | NotSent | Unknown) -> Any:
    """What the adapter makes of the answers to a request's calls."""
    return run(getattr(adapter(), request.operation.value)(request), *answers)[0]


def answer(body: Any, status: int = 200, **headers: str) -> HttpAnswer:
    """An answer with this JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, named, body if isinstance(body, bytes) else json.dumps(body).encode())


def refusal(
    description: str, status: int = 400, code: str = "BAD_REQUEST_ERROR", **fields: Any
) -> HttpAnswer:
    """An error."""
    error = {"code": code, "description": description, "source": "business", "step": "payment_initiation"}
    return answer({"error": {**error, "reason": "input_validation_failed", "metadata": {}, **fields}}, status)


def order(status: str = "created", **fields: Any) -> dict[str, Any]:
    """An order of ours."""
    return {
        "id": ORDER,
        "entity": "order",
        "amount": 50_000,
        "amount_paid": 0,
        "amount_due": 50_000,
        "currency": "INR",
        "receipt": RECEIPT,
        "offer_id": None,
        "status": status,
        "attempts": 0,
        "notes": {"merchant_payment_id": PAYMENT, "reference": RECEIPT, "method": "upi"},
        "created_at": MADE_AT_S,
        **fields,
    }


def payment(status: str = "authorized", id_: str = PAID, **fields: Any) -> dict[str, Any]:
    """A payment of the order."""
    return {
        "id": id_,
        "entity": "payment",
        "amount": 50_000,
        "currency": "INR",
        "status": status,
        "order_id": ORDER,
        "method": "upi",
        "amount_refunded": 0,
        "refund_status": None,
        "captured": status == "captured",
        "vpa": "gaurav.kumar@upi",
        "email": "gaurav.kumar@example.com",
        "notes": [],
        "error_code": None,
        "error_description": None,
        "error_reason": None,
        "created_at": MADE_AT_S,
        **fields,
    }


def failed(reason: str = "payment_failed", **fields: Any) -> dict[str, Any]:
    """A payment that was declined."""
    why = {"error_code": "BAD_REQUEST_ERROR", "error_description": "Declined.", "error_reason": reason}
    return payment("failed", **{"id_": "pay_DEAU825sJlCbGa", **why, **fields})


def released(**fields: Any) -> dict[str, Any]:
    """A payment that Razorpay gave back, because it was not captured."""
    return payment("refunded", captured=False, amount_refunded=50_000, refund_status="full", **fields)


def refund(status: str = "processed", minor: int = 50_000, **fields: Any) -> dict[str, Any]:
    """A refund of the payment."""
    return {
        "id": "rfnd_FP8DDKxqJif6ca",
        "entity": "refund",
        "amount": minor,
        "currency": "INR",
        "payment_id": PAID,
        "receipt": REFUND.idempotency_key,
        "notes": [],
        "acquirer_data": {"arn": None},
        "created_at": MADE_AT_S,
        "status": status,
        **fields,
    }


def listed(*found: dict[str, Any]) -> HttpAnswer:
    """The answer that lists them."""
    return answer({"entity": "collection", "count": len(found), "items": list(found)})
