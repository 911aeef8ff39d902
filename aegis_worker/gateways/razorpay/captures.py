"""The flows that take money: of a charge whose payer has paid in Checkout, and of a hold.

A capture has no key, so the payments of the order are looked at before it. It takes all of a payment, once: whatever was
lost on the way, nothing is taken twice.
"""

from __future__ import annotations

from collections.abc import Callable

from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    NotFound,
    NotSent,
    Outcome,
    Unknown,
)
from aegis_worker.domain.retries import NotSentKind

from ..kit.flows import Flow, NoAnswer
from ..kit.identity import other_money
from ..requests import GatewayRequest
from .answers import captured, in_doubt, looked_at, turned_away
from .calls import Calls
from .standing import Payments, held_in, of_capture, of_charge

# What the payments of an order say of the operation. `NotFound`: it has yet to be done.
Stands = Callable[[Payments], Approved | Declined | NotFound]


def charge(calls: Calls, request: GatewayRequest) -> Flow[Outcome]:
    """Capture what the payer has paid or, where it is to be held, see that it is.

    The payer was debited, so what was not decided stays in doubt: elsewhere the payer would have to pay again.
    """
    order_id = request.gateway_ref
    if order_id is None:
        return NotSent("there is no order yet")
    try:
        outcome = yield from _taken(
            calls, request, lambda payments: of_charge(order_id, payments, captures=request.capture)
        )
    except NoAnswer as none:
        return in_doubt(none.outcome)
    if isinstance(outcome, Approved) and outcome.captured and outcome.captured_minor != request.amount.minor:
        return other_money(f"{outcome.captured_minor} {request.amount.currency}", request.amount)
    return in_doubt(outcome)


def capture(calls: Calls, request: GatewayRequest) -> Flow[Outcome]:
    """Capture the hold."""
    order_id = request.gateway_ref or ""
    return (yield from _taken(calls, request, lambda payments: of_capture(order_id, payments)))


def look(calls: Calls, request: GatewayRequest) -> Flow[Payments | NotSent | Declined | Unknown]:
    """The payments as they stand. Whatever goes wrong here, nothing was sent."""
    try:
        answer = yield calls.payments_of(request.gateway_ref)
    except NoAnswer as none:
        kind = none.outcome.kind if isinstance(none.outcome, NotSent) else NotSentKind.NETWORK_ERROR
        return NotSent(f"the payments can't be looked at: {none.outcome.reason}", kind=kind)
    return looked_at(request, answer)


def _taken(calls: Calls, request: GatewayRequest, stands: Stands) -> Flow[Outcome]:
    payments = yield from look(calls, request)
    if not isinstance(payments, tuple):
        return payments
    before = stands(payments)
    if not isinstance(before, NotFound):
        return before
    held = held_in(payments)
    if held is None:
        return NotSent("the payments don't show what the payer has paid")
    if held.amount != request.amount:
        return Declined("invalid_request", "amount_differs", f"exactly {held.amount} can be captured")
    answer = yield calls.capture(request, held.id)
    if answer.status != 400:
        return captured(request, held, answer)
    # An earlier capture of ours, whose answer was lost, may have come first.
    payments = looked_at(request, (yield calls.payments_of(request.gateway_ref)))
    if not isinstance(payments, tuple):
        return Unknown("the capture was refused, and its payment can't be looked at")
    after = stands(payments)
    return turned_away(answer) if isinstance(after, NotFound) else after
