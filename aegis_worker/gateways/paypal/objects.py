"""Orders, authorizations, captures and refunds as PayPal shows them, and what identifies them. Pure.

An order is the charge: it lists the authorizations, captures and refunds that were made of it, each with an id of its own.
Our reference is the `invoice_id`, because it is the only one that an order, a capture and a refund all take. Source:
developer.paypal.com/docs/api/orders/v2, developer.paypal.com/docs/api/payments/v2.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation

from ..kit.identity import EVERYTHING, Carries, Declared, Shown
from ..kit.reading import Unreadable, address, child, children, identifier, one_of
from .amounts import AMOUNTS

_ORDER = replace(EVERYTHING, account=True)
# A capture and a refund name our key for it. The order that they are of is compared where they show it.
_MADE_OF_IT = Carries(reference=True, amount=True, currency=True)
# A void has no reference of its own: the order that it was read from is the one that was asked for by its id. A refusal
# shows nothing that could be compared.
_SHOWS = {
    **dict.fromkeys(Operation, _ORDER),
    **dict.fromkeys((Operation.CAPTURE, Operation.REFUND), _MADE_OF_IT),
    Operation.VOID: Carries(gateway_ref=True),
}
IDENTITY = Declared(answers=_SHOWS, look_ups=_SHOWS)

_INTENTS = frozenset({"CAPTURE", "AUTHORIZE"})
_STATUSES = frozenset({"CREATED", "SAVED", "APPROVED", "VOIDED", "COMPLETED", "PAYER_ACTION_REQUIRED"})
HELD, OVER = frozenset({"CREATED", "PARTIALLY_CAPTURED"}), frozenset({"VOIDED", "EXPIRED"})
_OF_AUTHORIZATIONS = HELD | OVER | {"CAPTURED", "DENIED", "PENDING"}
TAKEN = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
_OF_CAPTURES = TAKEN | {"DECLINED", "PENDING", "FAILED"}
_OF_REFUNDS = frozenset({"CANCELLED", "FAILED", "PENDING", "COMPLETED"})
# Where the payer is sent: the first one where the order says by what it is paid, else the second.
_APPROVE = ("payer-action", "approve")


class Authorization(Struct, frozen=True):
    """A hold. `ends_at`: when it ends by itself, 29 days after it was first made."""

    id: str
    status: str
    amount: Money
    made_at: datetime | None
    ends_at: datetime | None
    order_id: str | None
    response_code: str
    advice: str


class Capture(Struct, frozen=True):
    """Money that was taken, or will be, or was not. `reason`: why it is pending."""

    id: str
    status: str
    amount: Money
    reference: str | None
    order_id: str | None
    account: str | None
    reason: str
    response_code: str
    advice: str

    def shown(self) -> Shown:
        """What an answer with this capture shows."""
        references = {self.reference} if self.reference else set[str]()
        return Shown(references, self.order_id, self.amount.minor, self.amount.currency, account=self.account)


class Refund(Struct, frozen=True):
    """Money that was given back of a capture."""

    id: str
    status: str
    amount: Money
    reference: str | None
    capture_id: str | None
    reason: str

    def shown(self) -> Shown:
        """What an answer with this refund shows."""
        references = {self.reference} if self.reference else set[str]()
        return Shown(references, None, self.amount.minor, self.amount.currency)


class Order(Struct, frozen=True):
    """An order with one purchase unit, as all of ours. `source`: by what it is paid, such as `card`; empty: unknown."""

    id: str
    status: str
    intent: str
    reference: str | None
    amount: Money
    account: str | None
    source: str
    approve_url: str
    made_at: datetime | None
    authorizations: tuple[Authorization, ...]
    captures: tuple[Capture, ...]
    refunds: tuple[Refund, ...]

    @property
    def is_held(self) -> bool:
        """Whether its money is held first, and captured by calls of their own."""
        return self.intent == "AUTHORIZE"

    @property
    def captured_minor(self) -> int:
        """What its captures took, before refunds."""
        return sum(capture.amount.minor for capture in self.captures if capture.status in TAKEN)

    @property
    def refunded_minor(self) -> int:
        """What was given back of it."""
        return sum(refund.amount.minor for refund in self.refunds if refund.status == "COMPLETED")

    def shown(self) -> Shown:
        """What an answer with this order shows."""
        references = {self.reference} if self.reference else set[str]()
        return Shown(references, self.id, self.amount.minor, self.amount.currency, account=self.account)


def read_order(body: Mapping[str, Any]) -> Order:
    """The order in an answer. Raises Unreadable."""
    units = children(body, "purchase_units")
    if len(units) != 1:
        raise Unreadable("an order of several purchase units")
    unit = units[0]
    made = child(unit, "payments") if unit.get("payments") is not None else {}
    return Order(
        id=identifier(body, "id"),
        status=one_of(body, "status", _STATUSES),
        intent=one_of(body, "intent", _INTENTS),
        reference=_id_if_any(unit, "invoice_id"),
        amount=money(unit, "amount"),
        account=account_of(unit, "payee"),
        source=next(iter(child(body, "payment_source")), "") if body.get("payment_source") else "",
        approve_url=_approve_url(body),
        made_at=moment(body, "create_time"),
        authorizations=tuple(read_authorization(one) for one in _listed(made, "authorizations")),
        captures=tuple(read_capture(one) for one in _listed(made, "captures")),
        refunds=tuple(read_refund(one) for one in _listed(made, "refunds")),
    )


def read_authorization(body: Mapping[str, Any]) -> Authorization:
    """An authorization, alone or in an order. Raises Unreadable."""
    return Authorization(
        id=identifier(body, "id"),
        status=one_of(body, "status", _OF_AUTHORIZATIONS),
        amount=money(body, "amount"),
        made_at=moment(body, "create_time"),
        ends_at=moment(body, "expiration_time"),
        order_id=_order_of(body),
        **_processor(body),
    )


def read_capture(body: Mapping[str, Any]) -> Capture:
    """A capture, alone or in an order. Raises Unreadable."""
    return Capture(
        id=identifier(body, "id"),
        status=one_of(body, "status", _OF_CAPTURES),
        amount=money(body, "amount"),
        reference=_id_if_any(body, "invoice_id"),
        order_id=_order_of(body),
        account=account_of(body, "payee"),
        reason=_reason(body),
        **_processor(body),
    )


def read_refund(body: Mapping[str, Any]) -> Refund:
    """A refund, alone or in an order. Raises Unreadable."""
    links = _listed(body, "links")
    up = next((str(link.get("href")) for link in links if link.get("rel") == "up"), "")
    return Refund(
        id=identifier(body, "id"),
        status=one_of(body, "status", _OF_REFUNDS),
        amount=money(body, "amount"),
        reference=_id_if_any(body, "invoice_id"),
        capture_id=up.rpartition("/captures/")[2] or None,
        reason=_reason(body),
    )


def money(body: Mapping[str, Any], name: str) -> Money:
    """An amount, which PayPal writes as a decimal string. Raises Unreadable."""
    given = child(body, name)
    code, value = given.get("currency_code"), given.get("value")
    if type(code) is not str or code not in EXPONENTS or type(value) is not str:
        raise Unreadable(f"{name} is no amount")
    return Money(AMOUNTS.read_decimal(value, code), code)


def moment(body: Mapping[str, Any], name: str) -> datetime | None:
    """A time of RFC 3339, aware; None where there is none. Raises Unreadable."""
    value = body.get(name)
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError) as problem:
        raise Unreadable(f"{name} is no time") from problem
    if read.tzinfo is None:
        raise Unreadable(f"{name} has no offset")
    return read


def account_of(body: Mapping[str, Any], name: str) -> str | None:
    """The merchant id of who is paid; None where it is not shown. Raises Unreadable."""
    payee = body.get(name)
    return None if payee is None else _id_if_any(child(body, name), "merchant_id")


def _order_of(body: Mapping[str, Any]) -> str | None:
    related = body.get("supplementary_data")
    ids = related.get("related_ids") if isinstance(related, dict) else None
    return _id_if_any(ids, "order_id") if isinstance(ids, dict) else None


def _processor(body: Mapping[str, Any]) -> dict[str, str]:
    if body.get("processor_response") is None:
        return {"response_code": "", "advice": ""}
    said = child(body, "processor_response")
    names = {"response_code": "response_code", "advice": "payment_advice_code"}
    return {ours: _id_if_any(said, theirs) or "" for ours, theirs in names.items()}


def _reason(body: Mapping[str, Any]) -> str:
    if body.get("status_details") is None:
        return ""
    return _id_if_any(child(body, "status_details"), "reason") or ""


def _approve_url(body: Mapping[str, Any]) -> str:
    links = {link.get("rel"): link for link in _listed(body, "links")}
    found = next((links[rel] for rel in _APPROVE if rel in links), None)
    return "" if found is None else address(found, "href")


def _listed(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return children(body, name) if body.get(name) is not None else []


def _id_if_any(body: Mapping[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else identifier(body, name)


Made = TypeVar("Made", Capture, Refund)


def under(reference: str, made: tuple[Made, ...]) -> Made | None:
    """The capture or refund that we asked for under this key."""
    return next((one for one in made if one.reference == reference), None)
