"""Transactions as Braintree shows them, and what identifies them. Pure.

A sale is the charge, from its authorization until it is settled. A refund is a transaction of its own, a credit that names
its sale. Our reference is the `order-id`, by which Braintree can be searched. A capture writes its key there in place of
the charge's, because a sale has no other place for it; the payment's id stands in both. Source:
developer.paypal.com/braintree/docs/reference/response/transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.gateway_keys import named_by, ordered_in
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation

from ..kit.amounts import ISO_AMOUNTS
from ..kit.identity import EVERYTHING, Carries, Declared, Shown
from ..kit.reading import (
    Unreadable,
    child,
    children,
    identifier,
    network_transaction_id,
    one_of,
    words,
)

AMOUNTS = ISO_AMOUNTS
_TRANSACTION = replace(EVERYTHING, account=True)
# A void writes no reference of its own, and the sum of what it voids need not be the charge's any more.
_SHOWS = {
    **dict.fromkeys(Operation, _TRANSACTION),
    Operation.VOID: Carries(gateway_ref=True, currency=True, account=True),
}
# A refusal that shows no transaction shows nothing that could be compared, and neither does a search that found nothing.
IDENTITY = Declared(answers=_SHOWS, look_ups=_SHOWS)

SETTLED = frozenset({"settling", "settled", "settlement_confirmed"})
TAKEN = SETTLED | {"submitted_for_settlement"}
UNSETTLED_FOR_GOOD = frozenset({"settlement_declined", "settlement_failed"})
DECLINED = frozenset({"processor_declined", "gateway_rejected", "failed"})
_SUBMITTED = TAKEN | UNSETTLED_FOR_GOOD | {"settlement_pending"}
_STATUSES = _SUBMITTED | DECLINED | {"authorization_expired", "authorized", "authorizing", "voided"}
_TYPES: frozenset[Literal["sale", "credit"]] = frozenset({"sale", "credit"})


class Holder(Struct, frozen=True):
    """Who is paid: the merchant, which has a merchant account for each currency."""

    merchant_id: str
    merchant_accounts: Mapping[str, str]

    def of(self, merchant_account: str | None, currency: str) -> str | None:
        """The merchant's id where it is the account that we use for the currency; any other stands for itself."""
        ours = merchant_account is not None and self.merchant_accounts.get(currency) == merchant_account
        return self.merchant_id if ours else merchant_account


class Transaction(Struct, frozen=True):
    """A sale, or a refund of one. `amount`: what it is over now; a capture of a part makes it that part.

    `authorized_minor`: what was held at first. `was_submitted`: it was captured, whatever became of it since. `sale_id`: of
    a refund, what it is of. `account`: whose it is, by `Holder`.
    """

    id: str
    type: Literal["sale", "credit"]
    status: str
    amount: Money
    authorized_minor: int
    was_submitted: bool
    order_id: str | None
    account: str | None
    refund_ids: tuple[str, ...]
    sale_id: str | None
    hold_ends_at: datetime | None
    disputed: bool
    response_code: str
    response_text: str
    settlement_code: str
    rejection: str
    advice: str
    network_transaction_id: str | None

    @property
    def captured_minor(self) -> int:
        """What was taken of it, before refunds, or is to be taken with the next settlement."""
        is_taken = self.was_submitted and self.status not in UNSETTLED_FOR_GOOD | {"settlement_pending"}
        return self.amount.minor if is_taken else 0

    @property
    def is_given_back(self) -> bool:
        """Whether all of it was given back by a void, after it was captured and before it was settled."""
        return self.status == "voided" and self.was_submitted

    def shown_for(self, operation: Operation, asked: str) -> Shown:
        """What it shows of an operation on it, which has the reference `asked`."""
        if operation is Operation.VOID:
            return Shown((), self.id, None, self.amount.currency, account=self.account)
        is_charge = operation not in (Operation.CAPTURE, Operation.REFUND)
        return Shown(
            self._references(operation, asked),
            self.sale_id if operation is Operation.REFUND else self.id,
            self.authorized_minor if is_charge else self.amount.minor,
            self.amount.currency,
            account=self.account,
        )

    def _references(self, operation: Operation, asked: str) -> set[str]:
        """Its order id. Of a sale it is the charge's key or its capture's, and stands for the other of the same payment."""
        if self.order_id is None:
            return set()
        ours, theirs = named_by(asked), named_by(self.order_id)
        if ours is None or theirs is None or ours[0] != theirs[0] or operation is Operation.REFUND:
            return {self.order_id}
        stands_for = None if operation is Operation.CAPTURE else Operation.CAPTURE
        return {asked} if ordered_in(self.order_id) is stands_for else {self.order_id}


def read_transaction(body: Mapping[str, Any], holder: Holder) -> Transaction:
    """The transaction in an answer. Raises Unreadable."""
    amount = money(body, "amount", "currency-iso-code")
    status = one_of(body, "status", _STATUSES)
    history = children(body, "status-history") if body.get("status-history") is not None else []
    return Transaction(
        id=identifier(body, "id"),
        type=one_of(body, "type", _TYPES),
        status=status,
        amount=amount,
        authorized_minor=_first(history, amount),
        was_submitted=status in _SUBMITTED or any(event.get("status") in _SUBMITTED for event in history),
        order_id=id_if_any(body, "order-id"),
        account=holder.of(id_if_any(body, "merchant-account-id"), amount.currency),
        refund_ids=ids(body, "refund-ids"),
        sale_id=id_if_any(body, "refunded-transaction-id"),
        hold_ends_at=moment(body, "authorization-expires-at"),
        disputed=bool(body.get("disputes")),
        response_code=id_if_any(body, "processor-response-code") or "",
        response_text=words(body, "processor-response-text"),
        settlement_code=id_if_any(body, "processor-settlement-response-code") or "",
        rejection=id_if_any(body, "gateway-rejection-reason") or "",
        advice=id_if_any(body, "merchant-advice-code") or "",
        network_transaction_id=network_transaction_id(body, "network-transaction-id"),
    )


def transaction_in(document: Mapping[str, Any], holder: Holder) -> Transaction:
    """The transaction that an answer is about. Raises Unreadable."""
    return read_transaction(child(document, "transaction"), holder)


def money(body: Mapping[str, Any], name: str, currency: str) -> Money:
    """An amount, which Braintree writes as a decimal string beside its currency. Raises Unreadable."""
    code, value = body.get(currency), body.get(name)
    if type(code) is not str or code not in EXPONENTS or type(value) is not str:
        raise Unreadable(f"{name} is no amount")
    return Money(AMOUNTS.read_decimal(value, code), code)


def moment(body: Mapping[str, Any], name: str) -> datetime | None:
    """A time or a day, aware; None where there is none. Braintree's are of UTC. Raises Unreadable."""
    value = body.get(name)
    if not value:
        return None
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError) as problem:
        raise Unreadable(f"{name} is no time") from problem
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def ids(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The ids in a list; none where there is none. Raises Unreadable."""
    listed = body.get(name)
    if not listed:
        return ()
    if type(listed) is not list:
        raise Unreadable(f"{name} is no list")
    return tuple(identifier({name: one}, name) for one in listed)


def id_if_any(body: Mapping[str, Any], name: str) -> str | None:
    """An id; None where there is none. Raises Unreadable."""
    return identifier(body, name) if body.get(name) else None


def _first(history: list[dict[str, Any]], amount: Money) -> int:
    """The first amount of its history, which is what was held."""
    shown = next((event["amount"] for event in history if type(event.get("amount")) is str), None)
    return amount.minor if shown is None else AMOUNTS.read_decimal(shown, amount.currency)
