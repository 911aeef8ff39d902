"""Orders, payments and refunds as Razorpay shows them, and what identifies them. Pure.

An order is the charge: whoever pays in Checkout makes a payment of it, and may make several until one is captured. An order
names our reference as its `receipt`; a payment names its order; a refund names its payment, and our key as its `receipt`.
Source: github.com/razorpay/markdown-docs, api/orders/entity.md, api/payments/entity.md, api/refunds/entity.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation

from ..kit.identity import EVERYTHING, Carries, Declared, Shown
from ..kit.reading import (
    LONGEST_ID,
    Unreadable,
    children,
    currency,
    identifier,
    minor_units,
    moment_s,
    one_of,
    words,
)
from .amounts import AMOUNTS
from .errors import precise

# A payment shows the order that it was asked for by, and no reference of ours that could be relied on.
_PAYMENT = Carries(gateway_ref=True, amount=True, currency=True)
_SHOWS = {
    **dict.fromkeys(Operation, _PAYMENT),
    Operation.AUTHENTICATE: EVERYTHING,
    Operation.VOID: Carries(gateway_ref=True),
    Operation.REFUND: Carries(reference=True, amount=True, currency=True),
}
IDENTITY = Declared(answers=_SHOWS, look_ups=_SHOWS)
_ORDERS = frozenset({"created", "attempted", "paid"})
_PAYMENTS = frozenset({"created", "authorized", "captured", "refunded", "failed"})
_REFUNDS = frozenset({"pending", "processed", "failed"})


class Order(Struct, frozen=True):
    """What is to be paid. `notes`: also how, see `methods`."""

    id: str
    receipt: str | None
    amount: Money
    status: str
    notes: Mapping[str, str]

    @property
    def is_untried(self) -> bool:
        """Whether nobody has tried to pay it, as far as Razorpay has decided."""
        return self.status == "created"

    def shown(self) -> Shown:
        """What an answer with this order shows."""
        references = {self.receipt} if self.receipt else set[str]()
        return Shown(references, self.id, self.amount.minor, self.amount.currency)


class Payment(Struct, frozen=True):
    """A payment of an order. `is_captured`: the money was taken, and stays so when it is given back.

    `reason` and `message`: why it failed.
    """

    id: str
    order_id: str | None
    amount: Money
    status: str
    is_captured: bool
    refunded_minor: int
    made_at: datetime
    reason: str
    message: str

    @property
    def is_held(self) -> bool:
        """Whether the payer has paid, and nothing was taken yet."""
        return self.status == "authorized"

    @property
    def is_released(self) -> bool:
        """Whether Razorpay gave it back because it was not captured in time."""
        return self.status == "refunded" and not self.is_captured

    def shown(self) -> Shown:
        """What an answer with this payment shows."""
        return Shown((), self.order_id, self.amount.minor, self.amount.currency)


class Refund(Struct, frozen=True):
    """Money that was given back of a payment."""

    id: str
    payment_id: str
    amount: Money
    status: str
    receipt: str | None

    def shown(self) -> Shown:
        """What an answer with this refund shows."""
        references = {self.receipt} if self.receipt else set[str]()
        return Shown(references, None, self.amount.minor, self.amount.currency)


def read_order(body: Mapping[str, Any]) -> Order:
    """The order in an answer. Raises Unreadable."""
    _check(body, "order")
    return Order(
        identifier(body, "id"),
        id_if_any(body, "receipt"),
        money(body),
        one_of(body, "status", _ORDERS),
        read_notes(body),
    )


def read_payment(body: Mapping[str, Any]) -> Payment:
    """The payment in an answer. Raises Unreadable."""
    _check(body, "payment")
    status, amount = one_of(body, "status", _PAYMENTS), money(body)
    captured = body.get("captured", status in ("captured", "refunded"))
    if type(captured) is not bool:
        raise Unreadable("captured is neither true nor false")
    refunded = minor_units(body, "amount_refunded") if body.get("amount_refunded") is not None else 0
    return Payment(
        id=identifier(body, "id"),
        order_id=id_if_any(body, "order_id"),
        amount=amount,
        status=status,
        is_captured=captured or status == "captured",
        refunded_minor=AMOUNTS.read(refunded, amount.currency),
        made_at=datetime.fromtimestamp(moment_s(body, "created_at"), UTC),
        reason=precise(words(body, "error_reason")),
        message=words(body, "error_description"),
    )


def read_refund(body: Mapping[str, Any]) -> Refund:
    """The refund in an answer. Raises Unreadable."""
    _check(body, "refund")
    return Refund(
        identifier(body, "id"),
        identifier(body, "payment_id"),
        money(body),
        # Without a status it is one of before refunds had any: it was made.
        one_of(body, "status", _REFUNDS) if body.get("status") is not None else "processed",
        id_if_any(body, "receipt"),
    )


def items(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a collection holds. Raises Unreadable, also where it does not hold as many as it says."""
    _check(body, "collection")
    found = children(body, "items")
    if body.get("count") != len(found):
        raise Unreadable("a collection of another count")
    return found


def money(body: Mapping[str, Any]) -> Money:
    """The amount, in the currency's smallest unit. Raises Unreadable."""
    code = currency(body)
    return Money(AMOUNTS.read(minor_units(body, "amount"), code), code)


def read_notes(body: Mapping[str, Any]) -> Mapping[str, str]:
    """The notes that may be ours: short texts. Where there are none Razorpay shows an empty list."""
    notes = body.get("notes")
    if not isinstance(notes, dict):
        return {}
    return {name: value for name, value in notes.items() if isinstance(value, str) and _is_short(value)}


def id_if_any(body: Mapping[str, Any], name: str) -> str | None:
    """An id; None where there is none. Raises Unreadable."""
    return None if body.get(name) is None else identifier(body, name)


def _is_short(text: str) -> bool:
    return 0 < len(text) <= LONGEST_ID and text.isprintable()


def _check(body: Mapping[str, Any], entity: str) -> None:
    if body.get("entity") != entity:
        raise Unreadable(f"no {entity}")
