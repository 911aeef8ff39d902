"""Captures, voids and refunds: what a merchant orders of a charge that is there. Entities with an id, an amount and a
status of their own (design D15). Pure.

The gateway's "accepted" ends the job, not the entity; its end may come days later, and a success may still turn into a
failure. What an entity has come to is told by events of its payment, and folding those gives the payment's amounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from .gateway_keys import FIRST_ORDERED
from .money import Money
from .outcomes import Operation
from .payment import Fact
from .transitions import EventType


class EntityKind(StrEnum):
    """What there is of them."""

    CAPTURE = "capture"
    # The release of what is held, which cancels the payment. Its payment's own events tell of it.
    VOID = "void"
    REFUND = "refund"


class EntityStatus(StrEnum):
    """How an entity stands: what is known of the money."""

    # Set when the merchant's order is accepted: nothing has been sent. It waits for its job, or its job for a worker.
    REQUESTED = "requested"
    # Set where the gateway refunds a charge only once it is settled, and it is not: nothing has been sent.
    WAITING = "waiting"
    # Set in the commit before its call: from here on the gateway may have it.
    PENDING = "pending"
    # Set by an answer or a look-up. A success may still fail, days later, when the gateway takes its word back.
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_S = EntityStatus
UNSETTLED = frozenset({_S.REQUESTED, _S.WAITING, _S.PENDING})

_TOLD: dict[EntityKind, tuple[EventType, EventType, EventType]] = {
    EntityKind.CAPTURE: (
        EventType.CAPTURE_REQUESTED,
        EventType.CAPTURE_SUCCEEDED,
        EventType.CAPTURE_FAILED,
    ),
    EntityKind.REFUND: (EventType.REFUND_REQUESTED, EventType.REFUND_SUCCEEDED, EventType.REFUND_FAILED),
}
_STATUS_AFTER = {
    type_: status
    for types in _TOLD.values()
    for type_, status in zip(types, (_S.REQUESTED, _S.SUCCEEDED, _S.FAILED), strict=True)
}


# Who asked for it: the merchant, here; or somebody at the gateway, such as the merchant in the gateway's dashboard.
Origin = Literal["merchant", "gateway"]


class Order(Struct, frozen=True):
    """What is ordered, as the entity's job and its events carry it: it never changes.

    `number`: which of its kind the merchant ordered of its payment, from 1 on; 0 for what was asked for at the gateway.
    `final`, of a capture: what is left of the hold is released. `forced`, of a refund: the merchant wants it although the
    payment is disputed.
    """

    kind: EntityKind
    id: str
    number: int
    amount_minor: int
    final: bool = False
    forced: bool = False
    origin: Origin = "merchant"

    @property
    def operation(self) -> Operation:
        """What is asked of the gateway."""
        return Operation(self.kind.value)

    @property
    def attempt(self) -> int:
        """The number of its attempt."""
        return FIRST_ORDERED + self.number - 1

    def money(self, currency: str) -> Money:
        """The amount, in the payment's currency."""
        return Money(self.amount_minor, currency)

    def request(self) -> dict[str, Any]:
        """What its job is about, for `jobs.request`."""
        return {"order": asdict(self)}

    def told(self) -> dict[str, Any]:
        """What its events say of it."""
        final = {"final": self.final} if self.kind is EntityKind.CAPTURE else {}
        origin = {} if self.origin == "merchant" else {"origin": self.origin}
        return {f"{self.kind}_id": self.id, "amount_minor": self.amount_minor, **final, **origin}


def order_in(request: Mapping[str, Any] | None) -> Order | None:
    """The order that a job is about; None where it is about something else."""
    stored = (request or {}).get("order")
    return None if stored is None else Order(**{**stored, "kind": EntityKind(stored["kind"])})


class Entity(Struct, frozen=True):
    """A capture or a refund as its row tells it. `error`: why it failed, as `domain.declines.describe_error` says it."""

    order: Order
    payment_id: str
    currency: str
    status: EntityStatus = EntityStatus.REQUESTED
    gateway: str | None = None
    gateway_ref: str | None = None
    error: Mapping[str, Any] | None = None


class EntityChange(Struct, frozen=True):
    """What a step of a job changes of an entity, or the entity itself, where a gateway shows one that nobody ordered here.

    `check_in_s`: a pending one's gateway is asked again after so long.
    """

    order: Order
    status: EntityStatus
    gateway: str | None = None
    gateway_ref: str | None = None
    error: Mapping[str, Any] | None = None
    check_in_s: float | None = None


def requested(order: Order) -> Fact:
    """The merchant's order is accepted, or found at the gateway, and its amount reserved."""
    return Fact(_TOLD[order.kind][0], order.told())


def succeeded(order: Order, gateway: str, gateway_ref: str | None) -> Fact:
    """The gateway has done it."""
    return Fact(_TOLD[order.kind][1], {**order.told(), "gateway": gateway, "gateway_ref": gateway_ref})


def entity_failed(order: Order, error: Mapping[str, Any], *, late: bool = False) -> Fact:
    """It did not happen, or, `late`, is undone after it had succeeded."""
    return Fact(_TOLD[order.kind][2], {**order.told(), "error": dict(error), "late": late})


def told_of(type_: EventType, data: Mapping[str, Any]) -> tuple[str, EntityStatus] | None:
    """The id of the entity that an event tells of, and the status that it tells; None for an event of no entity."""
    if type_ not in _STATUS_AFTER:
        return None
    kind = type_.value.partition("_")[0].lower()
    return data[f"{kind}_id"], _STATUS_AFTER[type_]
