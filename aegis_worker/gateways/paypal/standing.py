"""What an order says about the operation that was asked for. Pure, and the same for answers and look-ups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

from aegis_worker.domain.actions import Redirect
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

from ..kit.reading import Unreadable
from .codes import declined
from .objects import HELD, OVER, TAKEN, Authorization, Capture, Order, Refund, under

Standing = Approved | Declined | ActionRequired | Pending | NotFound
MovementStatus = Literal["pending", "succeeded", "failed"]


def of_order(operation: Operation, order: Order, reference: str, approval_s: float) -> Standing:
    """The outcome of an operation on an order. `NotFound` if it has not happened. `reference`: our key of it.

    `approval_s`: for how long a payer may approve, from when the order was made. Raises Unreadable.
    """
    if operation is Operation.AUTHENTICATE:
        return _of_approval(order, approval_s)
    if operation is Operation.CAPTURE:
        capture = under(reference, order.captures)
        return NotFound() if capture is None else of_capture(capture)
    if operation is Operation.REFUND:
        refund = under(reference, order.refunds)
        return NotFound() if refund is None else of_refund(refund)
    if operation is Operation.VOID:
        return of_void(order) or NotFound()
    return _of_charge(order)


def _of_approval(order: Order, approval_s: float) -> Standing:
    """An order that is paid by what was saved waits for nobody, unless its card has to be authenticated."""
    if order.status == "VOIDED" and not order.captures and not order.authorizations:
        return Declined("authentication_expired", order.status, "the order has ended unpaid", order.id)
    is_unapproved = order.status == "CREATED" and order.source == "paypal"
    if order.status == "PAYER_ACTION_REQUIRED" or is_unapproved:
        if not order.approve_url:
            raise Unreadable("an order to be approved without a link")
        ends_at = None if order.made_at is None else order.made_at + timedelta(seconds=approval_s)
        return ActionRequired(order.id, Redirect(order.approve_url), ends_at)
    return Approved(order.id, captured=False)


def _of_charge(order: Order) -> Standing:
    if order.authorizations:
        return _of_hold(order)
    if not order.captures:
        if order.status != "VOIDED":
            return NotFound()
        return Declined("authentication_expired", order.status, "the order has ended unpaid", order.id)
    # A payer whose first try was declined may have paid with the next.
    capture = next((one for one in order.captures if one.status in TAKEN | {"PENDING"}), order.captures[-1])
    if capture.status in TAKEN:
        return Approved(order.id, True, order.captured_minor, order.refunded_minor)
    if capture.status == "PENDING":
        return Pending(order.id, _pending(capture.reason))
    return declined(capture.response_code, capture.advice, capture.status, order.id)


def _of_hold(order: Order) -> Standing:
    newest = newest_authorization(order)
    statuses = {one.status for one in order.authorizations}
    is_open, captured_minor = bool(statuses & HELD), order.captured_minor
    is_pending = any(one.status == "PENDING" for one in order.captures)
    ends_at = next((one.ends_at for one in order.authorizations if one.ends_at is not None), None)
    if is_open or captured_minor or is_pending:
        return Approved(
            order.id,
            captured_minor > 0,
            captured_minor,
            order.refunded_minor,
            # What is still being decided says nothing of the end.
            still_held=None if is_pending and not is_open else is_open,
            capture_before=ends_at if is_open else None,
        )
    if "PENDING" in statuses:
        return Pending(order.id, _pending(""))
    if newest.status in OVER:
        code = "authorization_expired" if newest.status == "EXPIRED" else "generic_decline"
        return Declined(code, newest.status, "released at PayPal", order.id, released=True)
    if newest.status == "CAPTURED":
        # A capture failed after PayPal had said that it was done: nothing is held any more, and nothing was taken.
        return Approved(order.id, False, 0, order.refunded_minor, still_held=False)
    return declined(newest.response_code, newest.advice, newest.status, order.id)


def of_void(order: Order) -> Approved | Declined | None:
    """The outcome of a void of what the order holds. None if it has not happened, or nothing was held."""
    statuses = {one.status for one in order.authorizations}
    if statuses & HELD or not statuses:
        return None
    if "VOIDED" in statuses:
        return Approved(order.id, captured=False)
    if "EXPIRED" in statuses:
        return Declined("authorization_expired", "EXPIRED", "the hold has ended", order.id)
    return Declined("too_late", ", ".join(sorted(statuses)), "nothing is held any more", order.id)


def of_capture(capture: Capture) -> Approved | Declined | Pending:
    """The outcome of a capture of a hold."""
    if capture.status in TAKEN:
        return Approved(capture.id)
    if capture.status == "PENDING":
        return Pending(capture.id, _pending(capture.reason))
    return declined(capture.response_code, capture.advice, capture.status, capture.id)


def of_refund(refund: Refund) -> Approved | Declined | Pending:
    """The outcome of a refund."""
    if refund.status == "COMPLETED":
        return Approved(refund.id)
    if refund.status == "PENDING":
        return Pending(refund.id, _pending(refund.reason))
    return Declined("generic_decline", refund.reason or refund.status, "", refund.id)


def movements_of(order: Order) -> tuple[Movement, ...]:
    """The captures of a hold, and the refunds of a charge, whoever asked for them."""
    return (*(_captures(order) if order.is_held else ()), *_refunds(order))


def newest_authorization(order: Order) -> Authorization:
    """The last one that was made, which is the reauthorized one where the order was reauthorized."""
    dated = [one for one in order.authorizations if one.made_at is not None]
    return max(dated, key=lambda one: str(one.made_at)) if dated else order.authorizations[-1]


def oldest_authorization(order: Order) -> Authorization:
    """The first one that was made: PayPal voids a reauthorized hold by it."""
    dated = [one for one in order.authorizations if one.made_at is not None]
    return min(dated, key=lambda one: str(one.made_at)) if dated else order.authorizations[0]


def _captures(order: Order) -> Iterator[Movement]:
    for one in order.captures:
        status = capture_status(one.status)
        code = one.response_code or one.status if status == "failed" else ""
        yield Movement(
            Operation.CAPTURE, one.amount.minor, status, ours(Operation.CAPTURE, one.reference), one.id, code
        )


def _refunds(order: Order) -> Iterator[Movement]:
    for one in order.refunds:
        status = refund_status(one.status)
        code = one.reason or one.status if status == "failed" else ""
        yield Movement(
            Operation.REFUND, one.amount.minor, status, ours(Operation.REFUND, one.reference), one.id, code
        )


def capture_status(word: str) -> MovementStatus:
    """How a capture stands, by PayPal's word."""
    return "succeeded" if word in TAKEN else "pending" if word == "PENDING" else "failed"


def refund_status(word: str) -> MovementStatus:
    """How a refund stands, by PayPal's word."""
    return "succeeded" if word == "COMPLETED" else "pending" if word == "PENDING" else "failed"


def ours(operation: Operation, reference: str | None) -> str | None:
    """The key under which a merchant ordered it; None for what was done at PayPal, which repeats the order's reference."""
    return reference if reference is not None and ordered_in(reference) is operation else None


def _pending(reason: str) -> str:
    return f"pending at PayPal: {reason}".rstrip(": ")
