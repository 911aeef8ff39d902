"""What the events of captures and refunds do to their payment's amounts: a table. Pure.

They tell differences and no sums. So an event may be told of a payment to which another capture or refund was added
meanwhile, and adds up all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .transitions import EventType


class Amounts(Protocol):
    """A payment's amounts, in minor units. What is capturing or refunding is reserved until it is known to be done."""

    @property
    def captured_minor(self) -> int:
        """What was captured."""

    @property
    def refunded_minor(self) -> int:
        """What of it was given back."""

    @property
    def capturing_minor(self) -> int:
        """What captures that are under way reserve."""

    @property
    def refunding_minor(self) -> int:
        """What refunds that are under way reserve."""


# By event: which amounts its own is added to (1) and taken from (-1).
_MOVES: dict[EventType, Mapping[str, int]] = {
    EventType.CAPTURE_REQUESTED: {"capturing_minor": 1},
    EventType.CAPTURE_SUCCEEDED: {"capturing_minor": -1, "captured_minor": 1},
    EventType.CAPTURE_FAILED: {"capturing_minor": -1},
    EventType.REFUND_REQUESTED: {"refunding_minor": 1},
    EventType.REFUND_SUCCEEDED: {"refunding_minor": -1, "refunded_minor": 1},
    EventType.REFUND_FAILED: {"refunding_minor": -1},
}
# A failure after success takes back what was done, of which nothing is reserved any more.
_LATE: dict[EventType, Mapping[str, int]] = {
    EventType.CAPTURE_FAILED: {"captured_minor": -1},
    EventType.REFUND_FAILED: {"refunded_minor": -1},
}

OF_ENTITIES = frozenset(_MOVES)
"""The events that tell of a capture or refund."""


def moved(before: Amounts, type_: EventType, data: Mapping[str, Any]) -> dict[str, int]:
    """The amounts that an event changes, as they are after it; empty for an event that moves none of these."""
    moves = (_LATE if data.get("late") else _MOVES).get(type_)
    if moves is None:
        return {}
    return {name: getattr(before, name) + sign * data["amount_minor"] for name, sign in moves.items()}


def closing(type_: EventType, data: Mapping[str, Any]) -> dict[str, bool]:
    """Whether a final capture is under way after the event, so that no further one may be ordered; empty if unchanged."""
    if type_ is EventType.CAPTURE_REQUESTED and data["final"]:
        return {"closing": True}
    if type_ is EventType.CAPTURE_FAILED and data["final"]:
        return {"closing": False}
    return {}
