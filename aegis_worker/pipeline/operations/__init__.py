"""The operations that jobs stand for, each a room of its own, and the questions that the pipeline asks them."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_worker.domain.entities import EntityKind, Order

from ..work import Answer, Policy, Settled, Step, Work
from .capture import Capture
from .charge import Charge
from .hold import Hold
from .ordered import Ordered
from .refund import Refund
from .reversal import Reversal
from .room import Room
from .steps import review
from .sync import Sync
from .void import Void

_CHARGE, _REVERSAL = Charge(), Reversal()

_ORDERS: Mapping[EntityKind, Ordered] = {
    EntityKind.CAPTURE: Capture(),
    EntityKind.VOID: Void(_REVERSAL),
    EntityKind.REFUND: Refund(_REVERSAL),
}

# By the name that jobs carry.
ROOMS: dict[str, Room] = {
    "process": _CHARGE,
    "capture": _ORDERS[EntityKind.CAPTURE],
    "hold": Hold(),
    "sync": Sync(before_the_end=_CHARGE),
    "void": _ORDERS[EntityKind.VOID],
    "refund": _ORDERS[EntityKind.REFUND],
}


class _Unknown(Room):
    """An operation of another version of this code: a person has to see to it."""

    def step(self, work: Work, policy: Policy) -> Step:
        """Hand it to a person."""
        return review(work, f"this version of AegisPay knows no operation {work.job.operation!r}")

    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        """Never asked, because such a job makes no call."""
        raise AssertionError("unreachable: a job that nobody knows makes no call")


_UNKNOWN = _Unknown()


def room_named(operation: str) -> Room:
    """The room of a job's operation."""
    return ROOMS.get(operation, _UNKNOWN)


def order_room(order: Order) -> Ordered:
    """The room of an order."""
    return _ORDERS[order.kind]


def room_of(work: Work) -> Room:
    """The room that goes on with a claimed job."""
    return room_named(work.job.operation).room_for(work)


def next_step(work: Work, policy: Policy) -> Step:
    """What is next for a claimed job."""
    if work.job.claim_count >= policy.poison_cap:
        return review(
            work,
            f"{work.job.claim_count} workers began it and left it without an answer: they die of it,"
            " or PostgreSQL refuses what they would write",
        )
    return room_of(work).step(work, policy)


def settle(work: Work, answer: Answer, policy: Policy) -> Settled:
    """What the answer to the call in flight means."""
    return room_of(work).settle(work, answer, policy)
