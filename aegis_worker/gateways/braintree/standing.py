"""What a transaction says about the operation that was asked for. Pure, and the same for answers and look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from aegis_worker.domain.gateway_keys import ordered_in
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Movement,
    NotFound,
    Operation,
    Pending,
    Unknown,
)

from .codes import DUPLICATE, DUPLICATES, decline_code, rejected
from .objects import DECLINED, SETTLED, TAKEN, UNSETTLED_FOR_GOOD, Transaction

Standing = Approved | Declined | Pending | NotFound | Unknown
MovementStatus = Literal["pending", "succeeded", "failed"]


def of_charge(sale: Transaction, refunds: Sequence[Transaction], *, captures: bool) -> Standing:
    """The outcome of a charge. `captures`: whether it was to take the money at once."""
    match sale.status:
        case "authorizing":
            return Pending(sale.id)
        case "authorized":
            return Approved(
                sale.id,
                False,
                0,
                0,
                settled=False,
                capture_before=sale.hold_ends_at,
                network_transaction_id=sale.network_transaction_id,
            )
        case "authorization_expired":
            return Declined(
                "authorization_expired", sale.status, "the hold has ended", sale.id, released=True
            )
        case "voided" if not sale.was_submitted:
            return Declined("generic_decline", sale.status, "voided at Braintree", sale.id, released=True)
        case status if status in DECLINED:
            return _declined(sale)
        case status if status in UNSETTLED_FOR_GOOD and captures:
            return _unsettled(sale)
        case "settlement_pending" if captures:
            return Pending(sale.id, "its settlement is pending at Braintree")
    # Captured, or a hold whose capture is still being decided on, or failed after Braintree had taken it in.
    refunded = sale.captured_minor if sale.is_given_back else sum(_given_back(one) for one in refunds)
    return Approved(
        sale.id,
        sale.captured_minor > 0,
        sale.captured_minor,
        refunded,
        still_held=None if sale.status == "settlement_pending" else False,
        settled=sale.status in SETTLED,
        disputed=sale.disputed,
        network_transaction_id=sale.network_transaction_id,
    )


def of_capture(sale: Transaction, reference: str, amount: Money | None) -> Standing:
    """The outcome of the capture with this key, of this amount. `NotFound` if it has not happened.

    A sale is captured once. One that shows no capture's key was captured by a processor that takes none, or at Braintree by
    hand: where it is of our amount, ours is done.
    """
    is_unnamed = ours(Operation.CAPTURE, sale.order_id) is None and amount in (None, sale.amount)
    if not sale.was_submitted or not (sale.order_id == reference or is_unnamed):
        return NotFound()
    if sale.status in UNSETTLED_FOR_GOOD:
        return _unsettled(sale)
    if sale.status == "settlement_pending":
        return Pending(sale.id, "its settlement is pending at Braintree")
    return Approved(sale.id)


def of_void(sale: Transaction) -> Standing:
    """The outcome of a void of a hold. `NotFound` if it is still held."""
    if sale.status == "voided":
        return Approved(sale.id, captured=False)
    if sale.status in ("authorized", "authorizing"):
        return NotFound()
    if sale.status == "authorization_expired":
        return Declined("authorization_expired", sale.status, "the hold has ended", sale.id)
    return Declined("too_late", sale.status, "nothing is held any more", sale.id)


def of_refund(refund: Transaction) -> Approved | Declined | Pending | Unknown:
    """The outcome of a refund. It may still fail after it was taken in."""
    if refund.status in TAKEN:
        return Approved(refund.id)
    if refund.status in UNSETTLED_FOR_GOOD:
        return _unsettled(refund)
    if refund.status in DECLINED:
        return _declined(refund)
    if refund.status == "voided":
        return Declined("generic_decline", refund.status, "voided at Braintree", refund.id)
    return Pending(refund.id)


def of_whole_refund(sale: Transaction, minor: int) -> Approved | None:
    """The refund of all of a sale that was voided before it was settled, which has no other id. None if it was not."""
    return Approved(sale.id) if sale.is_given_back and sale.captured_minor == minor else None


def movements_of(
    sale: Transaction, refunds: Sequence[Transaction], *, was_held: bool
) -> tuple[Movement, ...]:
    """The capture of a hold, and the refunds of a charge, whoever asked for them."""
    found = [_capture(sale)] if was_held and sale.was_submitted else []
    if sale.is_given_back:
        found.append(Movement(Operation.REFUND, sale.captured_minor, gateway_ref=sale.id))
    return (*found, *(_refund(one) for one in refunds))


def ours(operation: Operation, order_id: str | None) -> str | None:
    """The key under which a merchant ordered it; None for what was done at Braintree, which repeats the sale's order id."""
    return order_id if order_id is not None and ordered_in(order_id) is operation else None


def _capture(sale: Transaction) -> Movement:
    status: MovementStatus = "succeeded"
    if sale.status in UNSETTLED_FOR_GOOD:
        status = "failed"
    elif sale.status == "settlement_pending":
        status = "pending"
    code = (sale.settlement_code or sale.status) if status == "failed" else ""
    reference = ours(Operation.CAPTURE, sale.order_id)
    return Movement(Operation.CAPTURE, sale.amount.minor, status, reference, sale.id, code)


def _refund(refund: Transaction) -> Movement:
    said = of_refund(refund)
    status: MovementStatus = (
        "succeeded" if isinstance(said, Approved) else "failed" if isinstance(said, Declined) else "pending"
    )
    code = said.gateway_code if isinstance(said, Declined) else ""
    reference = ours(Operation.REFUND, refund.order_id)
    return Movement(Operation.REFUND, refund.amount.minor, status, reference, refund.id, code)


def _given_back(refund: Transaction) -> int:
    return refund.amount.minor if isinstance(of_refund(refund), Approved) else 0


def _declined(transaction: Transaction) -> Declined | Unknown:
    """A decline by the processor, or by Braintree's own checks. That of a duplicate is about our own first call."""
    is_rejected = transaction.status == "gateway_rejected"
    gateway_code = rejected(transaction.rejection) if is_rejected else transaction.response_code
    if gateway_code in DUPLICATES or gateway_code == DUPLICATE:
        return Unknown(f"{gateway_code}: another call may have charged it")
    code = decline_code(gateway_code, transaction.advice)
    if transaction.status == "failed" and code == "generic_decline":
        code = "processing_error"
    said = gateway_code or transaction.status
    return Declined(code, said, transaction.response_text, transaction.id)


def _unsettled(transaction: Transaction) -> Declined:
    """The processor refused to settle what it had authorized."""
    said = transaction.settlement_code or transaction.response_code or transaction.status
    # The response code is of the authorization, which was approved, unless the settlement shows none of its own.
    code = decline_code(said)
    return Declined(code, said, transaction.response_text, transaction.id)
