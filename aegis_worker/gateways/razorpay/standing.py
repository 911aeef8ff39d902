"""What the payments of an order say about the operation that was asked for. Pure, and the same for answers and look-ups.

A payment that has failed may turn authorized for three days, because Razorpay goes on asking the payer's bank. So no
failure ends an order: it is paid, or given up by us, and what turns up after that is not captured and goes back to its
payer. Source: github.com/razorpay/markdown-docs, payments/payments/late-authorisation.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from aegis_worker.domain.gateway_keys import ordered_in
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Movement,
    NotFound,
    Operation,
    Pending,
)

from .calls import HELD_FOR
from .checkout import handed_over
from .codes import failed
from .objects import Order, Payment, Refund

Payments = tuple[Payment, ...]
MovementStatus = Literal["pending", "succeeded", "failed"]
# Razorpay's word for what it gave back.
_GIVEN_BACK = "refunded"


def taken_in(payments: Payments) -> list[Payment]:
    """Those whose money was taken, given back since or not."""
    return [one for one in payments if one.is_captured]


def held_in(payments: Payments) -> Payment | None:
    """The one to capture: the newest, which can be captured for longest. A late authorization may leave several."""
    held = [one for one in payments if one.is_held]
    return max(held, key=lambda one: (one.made_at, one.id)) if held else None


def of_checkout(order: Order, payments: Payments, key_id: str) -> Approved | Declined | ActionRequired:
    """Whether the payer has paid in Checkout. Whoever has failed to may try again there."""
    if taken_in(payments) or held_in(payments) is not None:
        return Approved(order.id, captured=False)
    released = _released(order.id, payments)
    return released or ActionRequired(order.id, handed_over(order, key_id))


def of_payer_who_gave_up(order_id: str, payments: Payments) -> Approved | Declined:
    """The same, of a payer who tries no other way. What is not decided yet changes nothing."""
    if taken_in(payments) or held_in(payments) is not None:
        return Approved(order_id, captured=False)
    if not payments or any(one.status == "created" for one in payments):
        return Declined("invalid_request", "not_failed", "no payment of the order has failed for good")
    last = max(payments, key=lambda one: (one.made_at, one.id))
    return _released(order_id, payments) or failed(last.reason, last.message, order_id)


def of_paid(order_id: str, payment: Payment) -> Approved | Declined | Pending:
    """The same, by the payment that Checkout has signed for."""
    if payment.is_held or payment.is_captured:
        return Approved(order_id, captured=False)
    return _released(order_id, (payment,)) or Pending(order_id, f"the payment is still {payment.status}")


def of_charge(order_id: str, payments: Payments, *, captures: bool) -> Approved | Declined | NotFound:
    """Whether the order was charged or, unless the charge `captures`, is held. `NotFound` if neither has happened.

    Nobody charges before the payer has paid, so a list without their payment only lags behind.
    """
    taken, held = taken_in(payments), held_in(payments)
    if taken:
        minor, given_back = (
            sum(one.amount.minor for one in taken),
            sum(one.refunded_minor for one in taken),
        )
        return Approved(order_id, True, minor, given_back, still_held=None if captures else False)
    if held is not None and not captures:
        ends_at = held.made_at + HELD_FOR
        return Approved(order_id, False, 0, 0, still_held=True, capture_before=ends_at)
    has_paid = NotFound(payer_has_paid=True)
    return has_paid if held is not None else _released(order_id, payments) or has_paid


def of_capture(order_id: str, payments: Payments) -> Approved | Declined | NotFound:
    """Whether the hold was captured. It can be once, so whoever did it, it is done.

    What was held is held, taken or given back: a list that shows none of it lags behind.
    """
    taken = taken_in(payments)
    if taken:
        return Approved(taken[0].id)
    return NotFound() if held_in(payments) is not None else _released(order_id, payments) or NotFound()


def of_void(order_id: str, payments: Payments) -> Approved | Declined | Pending:
    """Whether what was held is released. Razorpay alone does that, in its time, and only what was not captured."""
    if taken_in(payments):
        return Declined("too_late", "captured", "it was captured", order_id)
    if held_in(payments) is not None:
        return Pending(order_id, "Razorpay gives it back by itself, because it is not captured")
    if _released(order_id, payments) is not None:
        return Approved(order_id, captured=False)
    return Pending(order_id, "Razorpay does not show what it holds")


def of_refund(refund: Refund) -> Approved | Declined | Pending:
    """The outcome of a refund."""
    if refund.status == "processed":
        return Approved(refund.id)
    if refund.status == "pending":
        return Pending(refund.id)
    return Declined("generic_decline", refund.status, "", refund.id)


def captures_in(payments: Payments) -> list[Movement]:
    """The captures of a hold. None names a key: a payment is captured once."""
    return [
        Movement(Operation.CAPTURE, one.amount.minor, gateway_ref=one.id)
        for one in payments
        if one.is_captured
    ]


def refunds_in(refunds: Iterable[Refund]) -> list[Movement]:
    """The refunds of a charge, whoever asked for them."""
    return [
        Movement(
            Operation.REFUND,
            one.amount.minor,
            refund_status(one.status),
            ours(one.receipt),
            one.id,
            one.status if one.status == "failed" else "",
        )
        for one in refunds
    ]


def refund_status(word: str) -> MovementStatus:
    """How a refund stands, by Razorpay's word."""
    return "succeeded" if word == "processed" else "pending" if word == "pending" else "failed"


def ours(receipt: str | None) -> str | None:
    """The key under which a merchant ordered the refund; None for what was done at Razorpay."""
    return receipt if receipt is not None and ordered_in(receipt) is Operation.REFUND else None


def _released(order_id: str, payments: Payments) -> Declined | None:
    """Razorpay's return of what was not captured in time; None where it gave nothing back so."""
    if not any(one.is_released for one in payments):
        return None
    why = "Razorpay gave it back, because it was not captured in time"
    return Declined("authorization_expired", _GIVEN_BACK, why, order_id, released=True)
