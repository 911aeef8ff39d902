"""Translates Razorpay's answers to look-ups. Pure.

Only a list that does not hold it says that something is not there: an unknown id is HTTP 400, as everything that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable

from aegis_worker.domain.outcomes import (
    Approved,
    Lookup,
    NotFound,
    Operation,
    Unknown,
    UnknownKind,
)

from ..kit.flows import HttpAnswer
from ..kit.identity import about_another, mismatch, other_money
from ..kit.reading import Unreadable, parsed
from ..requests import StatusQuery
from .answers import payments_in, strangers
from .objects import IDENTITY, Order, Refund, items, read_order, read_refund
from .standing import Payments, of_capture, of_charge, of_refund, of_void, taken_in

_EXACT = frozenset({Operation.AUTHENTICATE, Operation.PROCESS, Operation.CONFIRM})


def found_order(query: StatusQuery, answer: HttpAnswer) -> Order | Unknown:
    """The order that was looked up by its id."""
    if answer.status != 200:
        return unusable(answer)
    try:
        order = read_order(parsed(answer.body))
    except Unreadable as problem:
        return unexpected(problem)
    return mismatch(IDENTITY.look_ups[Operation.AUTHENTICATE], query.expected, order.shown()) or order


def order_with_receipt(query: StatusQuery, answer: HttpAnswer) -> Order | NotFound | Unknown:
    """The order that was looked up by our reference. Razorpay also shows those whose receipt only contains it."""
    if answer.status != 200:
        return unusable(answer)
    try:
        shown = [read_order(one) for one in items(parsed(answer.body))]
    except Unreadable as problem:
        return unexpected(problem)
    orders = [one for one in shown if one.receipt == query.reference]
    if not orders and shown:
        return about_another(f"it shows {shown[0].receipt}, asked was about {query.reference}")
    if len(orders) > 1:
        return Unknown(f"{len(orders)} orders have the receipt {query.reference}", kind=UnknownKind.MISMATCH)
    if not orders:
        return NotFound()
    other = mismatch(IDENTITY.look_ups[Operation.AUTHENTICATE], query.expected, orders[0].shown())
    return other or orders[0]


def found_payments(query: StatusQuery, answer: HttpAnswer) -> Payments | Unknown:
    """The payments of the order, if all are of it and, where the whole charge is asked about, of its money."""
    if answer.status != 200:
        return unusable(answer)
    try:
        payments = payments_in(answer)
    except Unreadable as problem:
        return unexpected(problem)
    return strangers(query.expected, payments, exact=query.operation in _EXACT) or payments


def by_payments(query: StatusQuery, payments: Payments) -> Lookup:
    """The outcome of an operation on an order, by its payments; not of a refund, nor of Checkout."""
    order_id = query.gateway_ref or ""
    if query.operation is Operation.VOID:
        return of_void(order_id, payments)
    if query.operation is Operation.CAPTURE:
        taken = taken_in(payments)
        if taken and query.amount is not None and taken[0].amount != query.amount:
            return other_money(f"{taken[0].amount.minor} {taken[0].amount.currency}", query.amount)
        return of_capture(order_id, payments)
    if query.operation is Operation.CONFIRM:
        # It only said what the payments show as well. One that was refused is known once it is made again.
        has_paid = any(one.is_held or one.is_captured for one in payments)
        return Approved(order_id, captured=False) if has_paid else NotFound()
    return of_charge(order_id, payments, captures=query.capture)


def found_refund(query: StatusQuery, answer: HttpAnswer) -> Lookup:
    """The outcome of a refund that was looked up by its own id."""
    if answer.status != 200:
        return unusable(answer)
    try:
        refund = read_refund(parsed(answer.body))
    except Unreadable as problem:
        return unexpected(problem)
    if refund.id != query.own_ref:
        return about_another(f"it shows {refund.id}, asked was about {query.own_ref}")
    return _of_refund(query, refund)


def refund_with_receipt(query: StatusQuery, refunds: Iterable[Refund]) -> Lookup:
    """The outcome of a refund that was looked up by our key."""
    refund = next((one for one in refunds if one.receipt == query.reference), None)
    return NotFound() if refund is None else _of_refund(query, refund)


def refunds_on(payment_id: str, answer: HttpAnswer) -> list[Refund] | Unknown:
    """One page of a payment's refunds."""
    if answer.status != 200:
        return unusable(answer)
    try:
        refunds = [read_refund(one) for one in items(parsed(answer.body))]
    except Unreadable as problem:
        return unexpected(problem)
    strange = next((one for one in refunds if one.payment_id != payment_id), None)
    return refunds if strange is None else about_another(f"it shows a refund of {strange.payment_id}")


def unusable(answer: HttpAnswer) -> Unknown:
    """For a look-up that was answered with an error."""
    return Unknown(f"look-up answered HTTP {answer.status}", kind=UnknownKind.of_status(answer.status))


def unexpected(problem: Unreadable) -> Unknown:
    """For a look-up whose answer can't be read."""
    return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)


def _of_refund(query: StatusQuery, refund: Refund) -> Lookup:
    stranger = mismatch(IDENTITY.look_ups[Operation.REFUND], query.expected, refund.shown())
    return stranger or of_refund(refund)
