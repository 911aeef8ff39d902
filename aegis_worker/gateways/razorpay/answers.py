"""Translates Razorpay's answers to operations into AegisPay's outcomes. Pure.

Nothing is found under an id with HTTP 400, so what an error means depends on what was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind

from ..kit.flows import HttpAnswer
from ..kit.identity import Expected, about_another, mismatch, other_money
from ..kit.reading import Unreadable, parsed
from ..requests import GatewayRequest
from .codes import refused
from .errors import RazorpayError, read_error
from .objects import IDENTITY, Order, Payment, items, read_order, read_payment, read_refund
from .standing import Payments, of_paid, of_refund

Read = TypeVar("Read")
_AS_DOUBT = {
    NotSentKind.RATE_LIMIT: UnknownKind.RATE_LIMIT,
    NotSentKind.TIMEOUT: UnknownKind.ANSWER_TIMEOUT,
    NotSentKind.NETWORK_ERROR: UnknownKind.NO_ANSWER,
}


def ordered(expected: Expected, answer: HttpAnswer) -> Order | NotSent | Declined | Unknown:
    """The order that was made, or why there is none."""
    if answer.status != 200:
        return turned_away(answer)
    order = _read(answer, read_order)
    if isinstance(order, Unknown):
        return order
    return mismatch(IDENTITY.answers[Operation.AUTHENTICATE], expected, order.shown()) or order


def looked_at(request: GatewayRequest, answer: HttpAnswer) -> Payments | NotSent | Declined | Unknown:
    """The payments of the order that something is to be made of; where they can't be had, why nothing was sent."""
    if answer.status in (401, 403):
        return turned_away(answer)
    if answer.status != 200:
        kind = NotSentKind.RATE_LIMIT if answer.status == 429 else NotSentKind.NETWORK_ERROR
        return NotSent(f"the payments' look-up answered HTTP {answer.status}", answer.retry_after_s(), kind)
    try:
        payments = payments_in(answer)
    except Unreadable as problem:
        return NotSent(f"the payments' look-up has an unexpected body: {problem}")
    is_charge = request.operation in (Operation.PROCESS, Operation.CONFIRM)
    return strangers(request.expected, payments, exact=is_charge) or payments


def payments_in(answer: HttpAnswer) -> Payments:
    """The payments in a collection. Raises Unreadable."""
    return tuple(read_payment(one) for one in items(parsed(answer.body)))


def strangers(expected: Expected, payments: Payments, *, exact: bool) -> Unknown | None:
    """Why the payments are not of this order, or of other money. None if they are ours. `exact`: the amount counts, too."""
    for payment in payments:
        if payment.order_id != expected.gateway_ref:
            return about_another(f"it shows {payment.order_id}, asked was about {expected.gateway_ref}")
        shown, ours = payment.amount, expected.amount
        if ours is not None and (shown.currency != ours.currency or (exact and shown != ours)):
            return other_money(f"{shown.minor} {shown.currency}", ours)
    return None


def confirmed(request: GatewayRequest, payment_id: str, answer: HttpAnswer) -> Outcome:
    """The outcome by the payment that Checkout has signed for. It must be of our order, and of all its money."""
    if answer.status != 200:
        return turned_away(answer)
    payment = _read(answer, read_payment)
    if isinstance(payment, Unknown):
        return payment
    if payment.id != payment_id:
        return about_another(f"it shows {payment.id}, asked was about {payment_id}")
    other = strangers(request.expected, (payment,), exact=True)
    return other or of_paid(request.gateway_ref or "", payment)


def captured(request: GatewayRequest, held: Payment, answer: HttpAnswer) -> Outcome:
    """The outcome of a capture of this payment, other than one that was refused."""
    if answer.status != 200:
        return turned_away(answer)
    payment = _read(answer, read_payment)
    if isinstance(payment, Unknown):
        return payment
    if payment.id != held.id:
        return about_another(f"it shows {payment.id}, asked was about {held.id}")
    other = strangers(request.expected, (payment,), exact=True)
    if other is not None:
        return other
    if not payment.is_captured:
        return Pending(request.gateway_ref or "", f"the payment is still {payment.status}")
    if request.operation is Operation.CAPTURE:
        return Approved(payment.id)
    return Approved(request.gateway_ref or "", True, payment.amount.minor, payment.refunded_minor)


def refunded(request: GatewayRequest, payment: Payment, answer: HttpAnswer) -> Outcome:
    """The outcome of a refund of this payment."""
    if answer.status != 200:
        return turned_away(answer, keyed=True)
    refund = _read(answer, read_refund)
    if isinstance(refund, Unknown):
        return refund
    if refund.payment_id != payment.id:
        return about_another(f"it is of {refund.payment_id}, asked was about {payment.id}")
    stranger = mismatch(IDENTITY.answers[Operation.REFUND], request.expected, refund.shown())
    return stranger or of_refund(refund)


def turned_away(answer: HttpAnswer, *, keyed: bool = False) -> NotSent | Declined | Unknown:
    """The outcome of a call that was answered with an error. `keyed`: its answers may be kept under its key."""
    if answer.status >= 500:
        return _unusable(answer, "", stored=keyed and answer.status == 500)
    try:
        error = read_error(parsed(answer.body))
    except Unreadable as problem:
        error = RazorpayError("", "", str(problem))
        if answer.status not in (401, 403, 429):
            return _unusable(answer, str(problem))
    if answer.status == 429:
        return NotSent(error.message or "rate limited", answer.retry_after_s(), NotSentKind.RATE_LIMIT)
    if answer.status in (401, 403):
        return Declined("gateway_misconfigured", error.said or str(answer.status), error.message)
    # A 409 is about another call under the same key. A receipt that is not unique may be that of our own first call.
    if answer.status != 400 or not error.is_of_the_request or error.is_about_a_receipt:
        return _unusable(answer, error.message)
    return refused(error)


def in_doubt(outcome: Outcome) -> Outcome:
    """The outcome of a step whose payer has paid already. Until it is captured or given back it stays with this order,
    whatever is refused, because anywhere else the payer would have to pay again.
    """
    if isinstance(outcome, NotSent):
        return Unknown(outcome.reason, kind=_AS_DOUBT[outcome.kind])
    if isinstance(outcome, Declined) and not outcome.released:
        return Unknown(
            f"what the payer has paid was not taken: {outcome.gateway_code}", kind=UnknownKind.UNREADABLE
        )
    return outcome


def _read(answer: HttpAnswer, read: Callable[[Mapping[str, Any]], Read]) -> Read | Unknown:
    try:
        return read(parsed(answer.body))
    except Unreadable as problem:
        return _unusable(answer, str(problem))


def _unusable(answer: HttpAnswer, why: str, *, stored: bool = False) -> Unknown:
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"HTTP {answer.status} {why}".rstrip(), stored=stored, kind=kind)
