"""Which order a POST is about, with what pays it: a new one, or one that may be charged."""

from __future__ import annotations

from dataclasses import replace

from ..payments import Payment, Status
from ..transaction import Transaction
from .amounts import minor
from .bodies import addresses, source_of, text, unit_of
from .books import PayPalBooks
from .calls import Call, Subject
from .errors import Refused
from .shapes import KINDS, Order, new_id

COMPLETING = frozenset({Status.SUCCEEDED, Status.AUTHORIZED})
_INTENTS = ("CAPTURE", "AUTHORIZE")


def new_order(books: PayPalBooks, call: Call) -> Subject:
    """The order that a call makes. Raises Refused."""
    body = call.body
    unit = unit_of(body)
    amount, currency = minor(unit.get("amount"))
    if body.get("intent") not in _INTENTS:
        raise Refused("INVALID_PARAMETER_VALUE", field="/intent")
    source, token = source_of(body)
    if token and not call.has_id:
        raise Refused("PAYPAL_REQUEST_ID_REQUIRED")
    named = {name: text(unit, name) for name in ("custom_id", "invoice_id", "description", "soft_descriptor")}
    back = addresses(body)
    order_id = new_id()
    about = {
        **named,
        "approved": False,
        **back,
        "charge_id": new_id(),
        "intent": body["intent"],
        "pends_for": "",
        "reference_id": text(unit, "reference_id") or "default",
        "source": source,
        "token": token,
    }
    payment = Payment(
        id=order_id,
        reference=named["invoice_id"] or about["reference_id"],
        merchant_payment_id=named["custom_id"] or None,
        amount=amount,
        currency=currency,
        capture_method="automatic" if body["intent"] == "CAPTURE" else "manual",
        method="card" if source == "card" else "wallet",
        token=token,
        metadata={},
        return_url=back["return_url"],
        statement_descriptor=named["soft_descriptor"],
        created_at=call.now,
    )
    script = books.script_of_source(payment, about)
    order = Order(payment, about, {kind: [] for kind in KINDS})
    return Subject(order, script, "charge" if token else "create", is_new=True)


def charged_order(books: PayPalBooks, tx: Transaction, call: Call) -> Subject:
    """The order that a call captures or authorizes. Raises Refused."""
    order = books.order(tx, call.target)
    source, token = source_of(call.body)
    about = order.about | ({"source": source, "token": token} if token else {})
    script = books.script_of_source(order.payment, about)
    wanted = "CAPTURE" if call.name == "capture_order" else "AUTHORIZE"
    if about["intent"] != wanted:
        raise Refused("ACTION_DOES_NOT_MATCH_INTENT")
    if order.moved["capture"] or order.moved["authorization"]:
        raise Refused("ORDER_ALREADY_CAPTURED" if wanted == "CAPTURE" else "ORDER_ALREADY_AUTHORIZED")
    if order.payment.due_status in COMPLETING:
        raise Refused("ORDER_COMPLETION_IN_PROGRESS")
    if order.payment.status is Status.VOIDED:
        raise Refused("ORDER_EXPIRED")
    if not token and not about["token"] and not about["approved"]:
        raise Refused("ORDER_NOT_APPROVED")
    if about["approved"]:
        order.payment.status = Status.AUTHENTICATED
    elif token or order.payment.status is Status.FAILED:
        order.payment.status = Status.CREATED
    elif order.payment.status is Status.REQUIRES_ACTION:
        raise Refused("PAYER_ACTION_REQUIRED")
    return Subject(replace(order, about=about), script, "charge")


def sourced_order(books: PayPalBooks, tx: Transaction, call: Call) -> Subject:
    """The order of which a call says what pays it. Raises Refused."""
    order = books.order(tx, call.target)
    source, token = source_of(call.body)
    if not source:
        raise Refused("MISSING_REQUIRED_PARAMETER", field="/payment_source")
    if order.payment.status not in (Status.REQUIRES_ACTION, Status.AUTHENTICATED):
        raise Refused(
            "ORDER_ALREADY_CAPTURED" if order.about["intent"] == "CAPTURE" else "ORDER_ALREADY_AUTHORIZED"
        )
    about = order.about | {"source": source, "token": token}
    about |= {name: url for name, url in addresses(call.body).items() if url}
    script = books.script_of_source(order.payment, about)
    return Subject(replace(order, about=about), script, "authenticate")
