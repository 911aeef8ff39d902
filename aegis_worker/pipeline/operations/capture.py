"""Capture of a hold, or of a part of it."""

from __future__ import annotations

from aegis_worker.domain.entities import Order
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.transitions import EventType, State

from ..work import Work
from .ordered import Ordered


class Capture(Ordered):
    """A final capture ends the hold, and so does one that takes the last of it: the payment has succeeded."""

    def comes_too_late(self, work: Work) -> bool:
        """Whether nothing is held any more."""
        return work.payment.state is not State.AUTHORIZED

    def follows(self, payment: Payment, order: Order) -> list[Fact]:
        """The payment's success, where nothing is held any more."""
        captured = payment.captured_minor + order.amount_minor
        ends_hold = order.final or captured >= payment.authorized_minor
        if payment.state is not State.AUTHORIZED or not ends_hold:
            return []
        data = {"gateway": payment.gateway, "gateway_ref": payment.gateway_ref, "captured_minor": captured}
        return [Fact(EventType.SUCCEEDED, data)]

    def waits_for(self, operation: str) -> str | None:
        """What its waiting job waits to do."""
        return "the held funds are captured"
