"""Translates Braintree's answers to operations into AegisPay's outcomes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind

from ..kit.flows import HttpAnswer
from ..kit.identity import Expected, about_another, mismatch
from ..kit.reading import Unreadable
from ..kit.xml import parsed_xml
from ..requests import GatewayRequest
from .codes import CONSUMED, IN_DOUBT, KEEPS_ORDER_ID, NOT_SETTLED, NOT_VOIDABLE, invalid_code
from .errors import ROOT, BraintreeError, read_error
from .objects import IDENTITY, Holder, Transaction, read_transaction, transaction_in
from .standing import Standing, of_capture, of_charge, of_refund, of_void, of_whole_refund

# A charge that is not settled yet is looked at again after so long; its gateway's event may say so before.
NOT_SETTLED_WAIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the answers that one merchant gets, which is paid under the merchant accounts of `holder`."""

    holder: Holder

    def outcome(self, request: GatewayRequest, answer: HttpAnswer) -> Outcome:
        """The outcome of a sale, a capture, a void or a refund."""
        if answer.status not in (200, 201, 422):
            return turned_away(answer)
        try:
            document = parsed_xml(answer.body)
            if ROOT in document:
                return self._refused(request, answer, read_error(document))
            return self._made(request, transaction_in(document, self.holder))
        except Unreadable as problem:
            return _unusable(answer, str(problem))

    def looked_at(self, request: GatewayRequest, answer: HttpAnswer) -> Transaction | Outcome:
        """The sale that something is to be done with; where it can't be had, why nothing was sent."""
        if answer.status in (401, 403, 426):
            return turned_away(answer)
        if answer.status != 200:
            kind = NotSentKind.RATE_LIMIT if answer.status == 429 else NotSentKind.NETWORK_ERROR
            return NotSent(f"the sale's look-up answered HTTP {answer.status}", answer.retry_after_s(), kind)
        try:
            sale = transaction_in(parsed_xml(answer.body), self.holder)
        except Unreadable as problem:
            return NotSent(f"the sale's look-up has an unexpected body: {problem}")
        # Its amount need not be that of the capture or refund, and its reference may be that of an earlier one.
        return self.stranger(request.expected, Operation.VOID, sale, request.idempotency_key) or sale

    def given_back(self, request: GatewayRequest, answer: HttpAnswer) -> Outcome:
        """The outcome of a refund that was made by voiding the whole sale."""
        if answer.status not in (200, 422):
            return turned_away(answer)
        try:
            document = parsed_xml(answer.body)
            if ROOT in document:
                error = read_error(document)
                if NOT_VOIDABLE in error.codes:
                    # It was not voided when it was looked at: its settlement has begun since.
                    return NotSent("it is being settled", NOT_SETTLED_WAIT_S)
                return self._refused(request, answer, error)
            sale = transaction_in(document, self.holder)
        except Unreadable as problem:
            return _unusable(answer, str(problem))
        other = self.stranger(request.expected, Operation.VOID, sale, request.idempotency_key)
        if other is None and not of_whole_refund(sale, request.amount.minor):
            other = about_another(f"it shows a sale of {sale.amount} that is {sale.status}")
        return other or Approved(sale.id)

    def stranger(
        self, expected: Expected, operation: Operation, transaction: Transaction, reference: str
    ) -> Unknown | None:
        """Why an answer is not about what was asked. None if it is."""
        ours = Expected(
            expected.references, expected.gateway_ref, expected.amount, account=self.holder.merchant_id
        )
        return mismatch(IDENTITY.answers[operation], ours, transaction.shown_for(operation, reference))

    def _made(self, request: GatewayRequest, transaction: Transaction) -> Outcome:
        reference = request.idempotency_key
        other = self.stranger(request.expected, request.operation, transaction, reference)
        if other is not None:
            return other
        result = of_operation(request, transaction)
        if isinstance(result, NotFound):
            return about_another(f"it shows a transaction that is {transaction.status}")
        return result

    def _refused(self, request: GatewayRequest, answer: HttpAnswer, error: BraintreeError) -> Outcome:
        if error.transaction is not None:
            made = read_transaction(error.transaction, self.holder)
            result = self._made(request, made)
            if isinstance(result, Approved | Pending):
                return about_another(
                    f"it says {error.message}, and shows a transaction that is {made.status}"
                )
            return result
        if IN_DOUBT.intersection(error.codes):
            # A repeat would only be told so again.
            return _unusable(answer, error.code, stored=CONSUMED in error.codes)
        if NOT_SETTLED in error.codes:
            return NotSent("it is not settled yet", NOT_SETTLED_WAIT_S)
        if not error.codes:
            return _unusable(answer, error.message)
        return Declined(invalid_code(error.code), error.code, error.message)


def keeps_order_id(answer: HttpAnswer) -> bool:
    """Whether a capture was refused only because it brought an order id of its own, which its processor can't take."""
    if answer.status != 422:
        return False
    try:
        return read_error(parsed_xml(answer.body)).codes == (KEEPS_ORDER_ID,)
    except Unreadable:
        return False


def of_operation(request: GatewayRequest, transaction: Transaction) -> Standing:
    """The outcome of the request's operation, as the transaction shows it."""
    if request.operation is Operation.CAPTURE:
        return of_capture(transaction, request.idempotency_key, request.amount)
    if request.operation is Operation.VOID:
        return of_void(transaction)
    if request.operation is Operation.REFUND:
        return of_refund(transaction)
    return of_charge(transaction, (), captures=request.capture)


def turned_away(answer: HttpAnswer) -> NotSent | Declined | Unknown:
    """The outcome of a call that was answered with an HTTP error, which has no body worth reading."""
    if answer.status == 429:
        return NotSent("rate limited", answer.retry_after_s(), NotSentKind.RATE_LIMIT)
    if answer.status in (401, 403, 426):
        return Declined("gateway_misconfigured", str(answer.status))
    if answer.status == 400:
        return Declined("invalid_request", "400")
    return _unusable(answer, "")


def _unusable(answer: HttpAnswer, why: str, *, stored: bool = False) -> Unknown:
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"HTTP {answer.status} {why}".rstrip(), stored=stored, kind=kind)
