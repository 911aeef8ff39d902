"""The payment: what it is, how an event changes it, and which events an outcome causes.

`evolve` is the only way a payment changes, and the row in the database is what folding the events gives (invariant I4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from aegis_worker.errors import IllegalTransition

from .amounts import OF_ENTITIES, closing, moved
from .dispute_statuses import contested
from .modes import Mode
from .moments import rfc3339
from .money import Money
from .terms import PaymentTerms
from .transitions import (
    ALLOWED_AFTER_THE_END,
    LEADS_TO,
    OF_DISPUTES,
    ONLY_IN,
    TERMINAL,
    TRANSITIONS,
    EventType,
    State,
)

Certainty = Literal["known", "unknown"]

# The types that a payment's `payment_method` may have.
METHODS = frozenset({"card", "upi", "net_banking", "wallet", "pay_later"})


class Event(Struct, frozen=True):
    """One fact about one payment. `seq` starts at 1 and has no gaps; the time is given by the database."""

    payment_id: str
    seq: int
    type: EventType
    data: Mapping[str, Any]


class Payment(Struct, frozen=True):
    """The aggregate. Amounts in minor units; `version` is the `seq` of the last event.

    `capturing_minor` and `refunding_minor` are ordered and not settled yet. `closing`: a final capture is among them.
    `cancelling`: the merchant cancelled it before it was known what is held, so nothing more is tried.
    `capture_before`: when what is held is released by itself, as `moments.rfc3339` writes it; None where nobody knows.
    `screening`: what hooks and rules said of it before its first attempt, as `screening.Screening.to_json` writes it.
    `disputed_minor`: what open disputes are about; `charged_back_minor`: what disputes have given back to the payer.

    `terms` and `mode` are given at the start and never change. The terms that rules and sentences ask for all the time
    can be read from the payment itself.
    """

    id: str
    merchant_id: str
    terms: PaymentTerms
    mode: Mode = "test"
    state: State = State.INITIATED
    version: int = 0
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    capturing_minor: int = 0
    refunding_minor: int = 0
    closing: bool = False
    cancelling: bool = False
    capture_before: str | None = None
    disputed_minor: int = 0
    charged_back_minor: int = 0
    gateway: str | None = None
    gateway_ref: str | None = None
    certainty: Certainty = "known"
    last_error: Mapping[str, Any] | None = None
    next_action: Mapping[str, Any] | None = None
    screening: Mapping[str, Any] | None = None

    @property
    def amount(self) -> Money:
        """What was asked for."""
        return self.terms.amount

    @property
    def payment_method(self) -> Mapping[str, Any]:
        """What the payer pays with."""
        return self.terms.payment_method

    @property
    def reference(self) -> str | None:
        """The merchant's own reference."""
        return self.terms.reference

    @property
    def customer(self) -> Mapping[str, Any]:
        """Who pays."""
        return self.terms.customer

    @property
    def capturable_minor(self) -> int:
        """What may still be captured: held, neither captured nor reserved by a capture that is under way."""
        if self.state is not State.AUTHORIZED or self.closing:
            return 0
        return max(0, self.authorized_minor - self.captured_minor - self.capturing_minor)

    @property
    def refundable_minor(self) -> int:
        """What may still be refunded: captured, not given back by refunds or disputes, not reserved by a refund."""
        if self.state not in ONLY_IN[EventType.REFUND_REQUESTED]:
            return 0
        gone = self.refunded_minor + self.refunding_minor + self.charged_back_minor
        return max(0, self.captured_minor - gone)

    @property
    def is_terminal(self) -> bool:
        """Whether the state is final."""
        return self.state in TERMINAL

    @property
    def is_erased(self) -> bool:
        """Whether what is known of its customer's person was erased, and with it by what it is paid."""
        return self.customer.get("erased") is True

    @property
    def is_called_off(self) -> bool:
        """Whether nothing more is to be tried: the merchant has cancelled it, or its customer was erased."""
        return self.cancelling or self.is_erased

    def evolve(self, event: Event) -> Payment:
        """This payment after `event`. Raises IllegalTransition for a gap in `seq` or a state that may not follow."""
        if event.seq != self.version + 1:
            raise IllegalTransition(f"{self.id}: event {event.seq} cannot follow event {self.version}")
        following = LEADS_TO.get(event.type, self.state)
        is_first = event.type is EventType.INITIATED
        if is_first != (self.version == 0):
            raise IllegalTransition(f"{self.id}: {event.type} as event {event.seq}")
        if not is_first and event.type in LEADS_TO and following not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"{self.id}: {event.type} in state {self.state}")
        if self.is_terminal and event.type not in ALLOWED_AFTER_THE_END:
            raise IllegalTransition(f"{self.id}: {event.type} after {self.state}")
        is_out_of_turn = self.state not in ONLY_IN.get(event.type, (self.state,))
        if is_out_of_turn and event.data.get("origin") != "gateway":
            raise IllegalTransition(f"{self.id}: {event.type} in state {self.state}")
        told = {} if event.type in _OF_ANOTHER_CHARGE else event.data
        changes = {name: told[name] for name in _FOLDED if name in told}
        if event.type in OF_ENTITIES:
            changes = {**moved(self, event.type, event.data), **closing(event.type, event.data)}
        elif event.type in OF_DISPUTES:
            changes = contested(self, event.data)
        if event.type in LEADS_TO and event.type is not EventType.ACTION_REQUIRED:
            changes.setdefault("next_action", None)
        if event.type is EventType.IN_DOUBT:
            changes["certainty"] = "unknown"
        elif event.type is EventType.RESOLVED:
            changes["certainty"] = "known"
        elif event.type is EventType.CANCEL_REQUESTED:
            changes["cancelling"] = True
        return replace(self, state=following, version=event.seq, **changes)

    def record(self, facts: Sequence[Fact]) -> tuple[Payment, list[Event]]:
        """Number the facts, apply them one after the other, and return the payment after them with its new events."""
        payment, events = self, []
        for fact in facts:
            event = Event(self.id, payment.version + 1, fact.type, fact.data)
            payment = payment.evolve(event)
            events.append(event)
        return payment, events


# These name the gateway of a charge that the payment does not stand on: the row keeps its own.
_OF_ANOTHER_CHARGE = frozenset({EventType.DUPLICATE_DETECTED, EventType.DUPLICATE_REVERSED})

# Fields of the row that an event's data may set; everything else is given at the start and never changes.
_FOLDED = (
    "gateway",
    "gateway_ref",
    "authorized_minor",
    "captured_minor",
    "refunded_minor",
    "last_error",
    "next_action",
    "capture_before",
    "screening",
)


class Fact(Struct, frozen=True):
    """What is to be recorded, before it has a place in the payment's history."""

    type: EventType
    data: Mapping[str, Any] = field(default_factory=dict)


def initiated(payment: Payment) -> Fact:
    """The first fact of every payment: what was asked for. No payment method details: they stand on the row."""
    at = payment.terms.scheduled_at
    return Fact(
        EventType.INITIATED,
        {
            "amount": payment.amount.minor,
            "currency": payment.amount.currency,
            "capture_method": payment.terms.capture_method,
            "payment_method": payment.payment_method["type"],
            "reference": payment.reference,
            "customer_id": payment.customer.get("id"),
            "mode": payment.mode,
            **({} if at is None else {"scheduled_at": rfc3339(at)}),
        },
    )


def retried(before: str, gateway: str, reason: str) -> Fact:
    """Another try begins: at `gateway`, because `before` did not charge."""
    return Fact(EventType.RETRY_ATTEMPTED, {"from": before, "to": gateway, "reason": reason})


def resolved(payment: Payment, how: str) -> list[Fact]:
    """A definite answer ends the doubt, where there was one."""
    return [Fact(EventType.RESOLVED, {"how": how})] if payment.certainty == "unknown" else []


def in_doubt(payment: Payment, gateway: str, reason: str) -> list[Fact]:
    """Doubt is told once, however often asking stays without an answer."""
    if payment.certainty == "unknown":
        return []
    return [Fact(EventType.IN_DOUBT, {"gateway": gateway, "reason": reason})]


def failed(error: Mapping[str, Any]) -> list[Fact]:
    """Definitely not charged, and nothing more will be tried."""
    return [Fact(EventType.FAILED, {"last_error": dict(error)})]


def duplicate_detected(payment: Payment, attempt: int, gateway: str, gateway_ref: str, policy: str) -> Fact:
    """A charge turned up that this payment does not stand on: it failed, or another attempt became its charge."""
    return Fact(
        EventType.DUPLICATE_DETECTED, _too_many(payment, attempt, gateway, gateway_ref) | {"policy": policy}
    )


def duplicate_reversed(payment: Payment, attempt: int, gateway: str, gateway_ref: str, how: str) -> Fact:
    """The charge too many was released or given back. The payment's own amounts never contained it."""
    return Fact(
        EventType.DUPLICATE_REVERSED, _too_many(payment, attempt, gateway, gateway_ref) | {"how": how}
    )


def _too_many(payment: Payment, attempt: int, gateway: str, gateway_ref: str) -> dict[str, Any]:
    return {
        "gateway": gateway,
        "gateway_ref": gateway_ref,
        "attempt": attempt,
        "amount_minor": payment.amount.minor,
    }
