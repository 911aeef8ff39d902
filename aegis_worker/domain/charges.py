"""Which charges of a payment stand: the one rule for all who ask, reverse, compare, resolve or audit them. Pure.

A charge too many that was given back is none any more, whoever gave it back: a void or refund of ours that the gateway
approved, always of all of it, or a person at the gateway, which a look-up found out. What a merchant orders of the charge
that the payment stands on, captures, voids and refunds, leaves it standing; amounts tell of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from .attempts import Attempt, AttemptStatus
from .gateway_keys import is_ordered
from .money import Money
from .outcomes import (
    CHARGING_STEPS,
    ActionRequired,
    Approved,
    Lookup,
    NotFound,
    Operation,
    Pending,
    charges,
)
from .payment import Payment
from .transitions import State

_REVERSALS = frozenset({Operation.VOID, Operation.REFUND})


class StandingCharge(Struct, frozen=True):
    """A charge to ask its gateway about: under which key it was sent, how long ago at least, and by what id it is known.

    `is_own`: the payment stands on it. Any other should not be there. `account`: the one that it was made with.
    """

    gateway: str
    key: str
    gateway_ref: str | None
    sent_ago_s: float
    is_own: bool
    account: str | None = None


def may_have_charged(call: Attempt) -> bool:
    """A charge that reached its gateway, whatever came of it; so may one that was only believed to be absent."""
    return charges(call.operation) and (call.status != AttemptStatus.NOT_SENT or call.not_found_count > 0)


def standing_charges(calls: Sequence[Attempt]) -> list[int]:
    """The positions of the charges that may stand at a gateway: sent, and not known to be given back."""
    given_back = {
        call.number
        for call in calls
        if call.operation in _REVERSALS
        and call.status == AttemptStatus.APPROVED
        and not is_ordered(call.number)
    }
    return [
        position
        for position, call in enumerate(calls)
        if may_have_charged(call) and call.number not in given_back and not call.outcome.given_back
    ]


def told_charges(calls: Sequence[Attempt]) -> list[int]:
    """Of the standing charges, those that a gateway has told us took the money, at once or by a capture.

    Captures are of the one charge that the payment stands on, which is no duplicate.
    """
    is_captured = any(
        call.operation == Operation.CAPTURE and call.status == AttemptStatus.APPROVED for call in calls
    )
    return [
        position
        for position in standing_charges(calls)
        if calls[position].status == AttemptStatus.APPROVED
        and (calls[position].outcome.captured or (is_captured and not calls[position].outcome.duplicate))
    ]


def given_back_charges(calls: Sequence[Attempt]) -> list[int]:
    """The positions of the charges that were sent, and are known to be given back."""
    standing = standing_charges(calls)
    return [
        position for position, call in enumerate(calls) if may_have_charged(call) and position not in standing
    ]


def last_hop(calls: Sequence[Attempt]) -> int | None:
    """The number of the last hop: a payer who was sent away stays with its gateway, so it is the one of every confirm."""
    return max((call.number for call in calls if call.operation in CHARGING_STEPS), default=None)


def hop_reference(calls: Sequence[Attempt], call: Attempt) -> str | None:
    """The gateway's own id of the charge that the call is about, from whichever step of its hop was given one last.

    What gives a charge back may have an id of its own, which says nothing about the charge.
    """
    hop = last_hop(calls) if call.operation is Operation.CONFIRM else call.number
    references = [
        other.gateway_ref
        for other in calls
        if other.number == hop and other.gateway_ref and other.operation in CHARGING_STEPS
    ]
    return references[-1] if references else None


def own_charge(payment: Payment, calls: Sequence[Attempt]) -> int | None:
    """The position of the charge that the payment stands on, whether it still stands or not; None where it stands on none.

    It carries the payment's gateway and reference; where none does, it is the last that was approved and not too many.
    """
    if payment.state not in (State.SUCCESS, State.AUTHORIZED):
        return None
    candidates = [
        position
        for position, call in enumerate(calls)
        if charges(call.operation) and not call.outcome.duplicate
    ]
    named = [
        position
        for position in candidates
        if (calls[position].gateway, calls[position].gateway_ref) == (payment.gateway, payment.gateway_ref)
    ]
    approved = [position for position in candidates if calls[position].status == AttemptStatus.APPROVED]
    return next(reversed(named or approved), None)


def other_sums(payment: Payment, found: Approved) -> tuple[str, str] | None:
    """What we say of the payment's own charge and what its gateway shows, in words, where the two differ.

    Sums that the gateway does not show can't differ; then only whether it was captured is compared. What is ordered and not
    settled may show at the gateway already, or not yet.
    """
    ours = (payment.captured_minor, payment.refunded_minor)
    ordered = (payment.capturing_minor, payment.refunding_minor)
    shown = (found.captured_minor, found.refunded_minor)
    if found.captured_minor is None and found.captured != (payment.captured_minor > 0):
        shown = (payment.amount.minor if found.captured else 0, found.refunded_minor)
    if all(
        theirs is None or our <= theirs <= our + more
        for theirs, our, more in zip(shown, ours, ordered, strict=True)
    ):
        return None
    return _sums(*ours, payment.amount), _sums(*shown, payment.amount)


def not_to_be_adopted(amount: Money, found: Approved) -> str | None:
    """What a charge that was in doubt shows, in words, where it can't become the payment's; None where it can.

    It took another sum than was asked for, or all of it was given back before we heard of it: a person has to look.
    """
    captured = f"{found.captured_minor} {amount.currency} captured"
    if found.given_back:
        return f"{captured}, and given back since"
    return captured if found.captured and found.captured_minor not in (None, amount.minor) else None


def may_be_invisible(found: Lookup, sent_ago_s: float, absence_window_s: float) -> bool:
    """Whether a look-up may have missed a charge, because its gateway shows it only so long after the call."""
    return isinstance(found, NotFound | Pending | ActionRequired) and sent_ago_s < absence_window_s


def _sums(captured_minor: int | None, refunded_minor: int | None, amount: Money) -> str:
    refunded = "" if refunded_minor is None else f", {refunded_minor} refunded"
    return f"{captured_minor} {amount.currency} captured{refunded}"
