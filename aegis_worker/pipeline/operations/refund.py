"""Refund of what was captured, or of a part of it."""

from __future__ import annotations

from aegis_worker.domain.entities import Order, order_in
from aegis_worker.domain.payment import Fact, Payment

from ..work import Work
from .ordered import Ordered
from .room import Room


class Refund(Ordered):
    """A refund leaves the payment's state as it is: amounts tell of it. Giving a charge too many back is a reversal."""

    def __init__(self, reversal: Room) -> None:
        self._reversal = reversal

    def room_for(self, work: Work) -> Room:
        """The reversal's, where a charge too many is given back and no merchant ordered it."""
        return self if order_in(work.job.request) is not None else self._reversal

    def unsent_because(self, work: Work, order: Order) -> str | None:
        """A dispute was opened, or lost, while the refund waited: it might pay twice, and the merchant decides again."""
        payment = work.payment
        is_lost = payment.charged_back_minor > 0
        gone = payment.refunded_minor + payment.refunding_minor + payment.charged_back_minor
        pays_twice = payment.disputed_minor > 0 or (is_lost and gone > payment.captured_minor)
        return "dispute_open" if pays_twice and not order.forced else None

    def follows(self, payment: Payment, order: Order) -> list[Fact]:
        """Nothing: the end is final."""
        return []

    def waits_for(self, operation: str) -> str | None:
        """What its waiting job waits to do."""
        return "money is given back"
