"""Void of a hold: the payment is cancelled, or, where a part of it was captured, the rest is released."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.entities import EntityChange, EntityStatus, Order, order_in
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.transitions import EventType, State

from ..work import Policy, Rest, Step, Work
from .ordered import Ordered
from .room import Room


class Void(Ordered):
    """What the merchant's cancel leads to once funds are held. Releasing a charge too many is a reversal."""

    def __init__(self, reversal: Room) -> None:
        self._reversal = reversal

    def room_for(self, work: Work) -> Room:
        """The reversal's, where a charge too many is released and no merchant ordered it."""
        return self if order_in(work.job.request) is not None else self._reversal

    def step(self, work: Work, policy: Policy) -> Step:
        """Nothing is left to do where the payment was cancelled before anything was held."""
        order = order_in(work.job.request)
        if order is not None and work.payment.state is State.CANCELLED and not _was_sent(work, order):
            done = EntityChange(order, EntityStatus.SUCCEEDED)
            return Rest(JobChange("succeeded"), entities=(done,))
        return super().step(work, policy)

    def comes_too_late(self, work: Work) -> bool:
        """Whether nothing is held: the charge was refused, or took the money."""
        return work.payment.state is not State.AUTHORIZED

    def told(self, order: Order, gateway: str, gateway_ref: str | None) -> list[Fact]:
        """The payment's own events tell of it."""
        return []

    def told_failed(self, order: Order, error: Mapping[str, Any]) -> list[Fact]:
        """The payment stays as it is."""
        return []

    def follows(self, payment: Payment, order: Order) -> list[Fact]:
        """The payment's end."""
        if payment.state is not State.AUTHORIZED:
            return []
        data = {"gateway": payment.gateway, "gateway_ref": payment.gateway_ref}
        if payment.captured_minor:
            return [Fact(EventType.SUCCEEDED, data | {"captured_minor": payment.captured_minor})]
        return [Fact(EventType.CANCELLED, data | {"reason": "voided"})]

    def waits_for(self, operation: str) -> str | None:
        """What its waiting job waits to do."""
        return "the held funds are released"


def _was_sent(work: Work, order: Order) -> bool:
    return any((one.operation, one.number) == (order.operation, order.attempt) for one in work.attempts)
