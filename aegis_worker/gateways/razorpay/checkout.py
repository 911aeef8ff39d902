"""Checkout, Razorpay's page in the shop's: what it is handed, and what the payer brings back from it. Pure.

Source: github.com/razorpay/markdown-docs, payments/payment-gateway/web-integration/standard/integration-steps.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from aegis_worker.domain.actions import Sdk

from ..kit.reading import Unreadable, child, identifier
from ..kit.signatures import is_signed
from .amounts import AMOUNTS
from .methods import shown_methods
from .objects import Order

SDK = "razorpay"


class Paid(Struct, frozen=True):
    """Checkout says that this payment was made."""

    payment_id: str


class GaveUp(Struct, frozen=True):
    """Checkout says that a payment failed, and the shop that its payer tries no other."""


def handed_over(order: Order, key_id: str) -> Sdk:
    """The options that the page gives to `new Razorpay(…)`, beside its own. None of it is secret."""
    options = {
        "key": key_id,
        "order_id": order.id,
        "amount": AMOUNTS.written(order.amount),
        "currency": order.amount.currency,
        "notes": dict(order.notes),
    }
    config = shown_methods(order.notes)
    return Sdk(SDK, options if config is None else {**options, "config": config})


def brought_back(data: Mapping[str, Any] | None, order_id: str, key_secret: str) -> Paid | GaveUp:
    """What the shop hands on from Checkout, if it is about this order.

    `razorpay_signature` is the HMAC-SHA-256 of `order|payment` with the key secret. The order's id is ours and not the one
    that was brought back, which anybody may have put there. Raises Unreadable, which says what is wrong.
    """
    given = data or {}
    if "error" in given:
        about = child(child(given, "error"), "metadata")
        if identifier(about, "order_id") != order_id:
            raise Unreadable("the error is about another order")
        return GaveUp()
    payment_id, signature = identifier(given, "razorpay_payment_id"), identifier(given, "razorpay_signature")
    if not is_signed((key_secret,), f"{order_id}|{payment_id}".encode(), (signature,)):
        raise Unreadable("the signature is not Razorpay's")
    return Paid(payment_id)
