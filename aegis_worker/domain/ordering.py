"""Whether a capture or refund may be ordered now, and for which amount. Pure.

These rules guard what we ask gateways for, and never what a gateway reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aegis_worker.errors import (
    AmountExceedsCapturable,
    AmountExceedsRefundable,
    AmountStep,
    DisputeOpen,
    InvalidState,
    UnsupportedByGateway,
)

from .money import Money
from .payment import Payment
from .transitions import State

MOST_WAITING = 20
"""How many captures and refunds of one payment may wait for their job at the same time."""


class Able(Protocol):
    """What the payment's gateway can do with its charge: `gateways.base.Capabilities`."""

    @property
    def partial_captures(self) -> bool:
        """Whether less may be captured than is held."""

    @property
    def several_captures(self) -> bool:
        """Whether a hold may be captured more than once."""

    @property
    def partial_refunds(self) -> bool:
        """Whether less may be refunded than was charged."""

    def takes(self, amount: Money) -> bool:
        """Whether it can write the amount exactly."""


def allowed_now(payment: Payment) -> Sequence[str]:
    """What may be asked of the payment as it stands."""
    asked = {
        "capture": payment.capturable_minor > 0,
        "refund": payment.refundable_minor > 0,
        "cancel": not payment.is_terminal,
    }
    return [name for name, is_allowed in asked.items() if is_allowed]


def capture_to_order(
    payment: Payment, able: Able, asked_minor: int | None, asked_final: bool | None
) -> tuple[int, bool]:
    """The amount of a capture, by default all that is left, and whether it is final.

    Raises InvalidState, AmountExceedsCapturable, AmountStep or UnsupportedByGateway.
    """
    if payment.state is not State.AUTHORIZED:
        raise InvalidState(
            f"a payment that is {payment.state} holds no funds to capture", allowed_now(payment)
        )
    left = payment.capturable_minor
    minor = left if asked_minor is None else asked_minor
    if minor > left or left == 0:
        raise AmountExceedsCapturable(left)
    takes_rest = minor == payment.authorized_minor - payment.captured_minor
    if not able.partial_captures and minor != payment.authorized_minor:
        raise UnsupportedByGateway(f"{payment.gateway} captures all of a hold, or nothing")
    if asked_final is False and not takes_rest and not able.several_captures:
        raise UnsupportedByGateway(f"{payment.gateway} captures a hold once, and releases the rest")
    _check_step(payment, able, minor)
    return minor, bool(asked_final) or takes_rest or not able.several_captures


def refund_to_order(payment: Payment, able: Able, asked_minor: int | None, *, forced: bool) -> int:
    """The amount of a refund, by default all that is left.

    Refunding what the payer has disputed may pay them twice, so it has to be `forced`.

    Raises InvalidState, DisputeOpen, AmountExceedsRefundable, AmountStep or UnsupportedByGateway.
    """
    if payment.captured_minor == 0:
        raise InvalidState(f"a payment that is {payment.state} has nothing to refund", allowed_now(payment))
    if payment.disputed_minor and not forced:
        raise DisputeOpen(payment.disputed_minor)
    left = payment.refundable_minor
    minor = left if asked_minor is None else asked_minor
    if minor > left or left == 0:
        raise AmountExceedsRefundable(left)
    if not able.partial_refunds and minor != payment.captured_minor:
        raise UnsupportedByGateway(f"{payment.gateway} refunds all of a charge, or nothing")
    _check_step(payment, able, minor)
    return minor


def _check_step(payment: Payment, able: Able, minor: int) -> None:
    amount = Money(minor, payment.amount.currency)
    if not able.takes(amount):
        raise AmountStep(f"{payment.gateway} can't take {amount} exactly, and nothing is rounded")
