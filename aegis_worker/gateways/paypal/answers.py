"""Translates PayPal's answers to operations into AegisPay's outcomes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.actions import Sdk
from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind

from ..kit.flows import HttpAnswer
from ..kit.identity import Expected, Shown, about_another, mismatch, other_money
from ..kit.reading import Unreadable, parsed
from ..requests import GatewayRequest
from .codes import IN_DOUBT, refused
from .errors import PayPalError, read_error
from .objects import IDENTITY, Authorization, Order, read_authorization, read_capture, read_order, read_refund
from .standing import newest_authorization, of_capture, of_order, of_refund

_VOIDED_BEFORE = "PREVIOUSLY_VOIDED"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the answers that one account gets. `approval_s`: for how long a payer may approve an order.

    `client_id`: what PayPal's library in the shop's page needs beside the order's id.
    """

    mode: Mode
    account: str
    client_id: str
    approval_s: float

    def outcome(self, request: GatewayRequest, answer: HttpAnswer) -> Outcome:
        """The outcome of a POST that makes, charges, captures or refunds."""
        if answer.status not in (200, 201):
            return turned_away(answer)
        try:
            body = parsed(answer.body)
            if request.operation is Operation.CAPTURE:
                capture = read_capture(body)
                return self.stranger(request.expected, request.operation, capture.shown()) or of_capture(
                    capture
                )
            if request.operation is Operation.REFUND:
                refund = read_refund(body)
                return self.stranger(request.expected, request.operation, refund.shown()) or of_refund(refund)
            return self._ordered(request, read_order(body))
        except Unreadable as problem:
            return _unusable(answer, str(problem))

    def voided(self, order: Order, authorization_id: str, answer: HttpAnswer) -> Outcome:
        """The outcome of a void of an authorization of this order, which names none of our references."""
        try:
            if answer.status == 204:
                return Approved(order.id, captured=False)
            if answer.status != 200:
                was_void = read_error(parsed(answer.body)).issue == _VOIDED_BEFORE
                return Approved(order.id, captured=False) if was_void else turned_away(answer)
            authorization = read_authorization(parsed(answer.body))
        except Unreadable as problem:
            return turned_away(answer) if answer.status >= 400 else _unusable(answer, str(problem))
        if (authorization.id, authorization.status) != (authorization_id, "VOIDED"):
            return about_another(f"it shows {authorization.id}, which is {authorization.status}")
        return Approved(order.id, captured=False)

    def renewed(self, request: GatewayRequest, answer: HttpAnswer) -> Authorization | NotSent | Declined:
        """The renewed hold; where it can't be read or is too small, why nothing was captured."""
        if answer.status not in (200, 201):
            outcome = turned_away(answer)
            return NotSent(outcome.reason) if isinstance(outcome, Unknown) else outcome
        try:
            authorization = read_authorization(parsed(answer.body))
        except Unreadable as problem:
            return NotSent(f"the renewed hold can't be read: {problem}")
        shown, needed = authorization.amount, request.amount
        if shown.currency != needed.currency or shown.minor < needed.minor:
            return NotSent(f"the renewed hold is of {shown}, and {needed} is to be captured")
        return authorization

    def looked_at(self, request: GatewayRequest, answer: HttpAnswer) -> Order | Outcome:
        """The order that something is to be made of; where it can't be had, why nothing was sent."""
        if answer.status in (401, 403):
            return turned_away(answer)
        if answer.status != 200:
            kind = NotSentKind.RATE_LIMIT if answer.status == 429 else NotSentKind.NETWORK_ERROR
            return NotSent(f"the order's look-up answered HTTP {answer.status}", answer.retry_after_s(), kind)
        try:
            order = read_order(parsed(answer.body))
        except Unreadable as problem:
            return NotSent(f"the order's look-up has an unexpected body: {problem}")
        other = self.other_order(order, request.gateway_ref, request.payment_id)
        if other is None and order.amount.currency != request.amount.currency:
            other = other_money(order.amount.currency, request.amount)
        return other or order

    def stranger(self, expected: Expected, operation: Operation, shown: Shown) -> Unknown | None:
        """Why an answer is not about what was asked. None if it is."""
        ours = expected.under(self.mode, self.account)
        return mismatch(IDENTITY.answers[operation], ours, shown)

    def other_order(self, order: Order, order_id: str | None, payment_id: str) -> Unknown | None:
        """Why an order is not the one of this payment, whichever of its steps made it there. None if it is."""
        place = parse_gateway_key(order.reference or "")
        if order.id != order_id or place is None or place[0] != payment_id:
            return about_another(f"it shows {order.id} with the reference {order.reference}")
        if order.account != self.account:
            return about_another(f"it is of the account {order.account}, ours is {self.account}")
        return None

    def _ordered(self, request: GatewayRequest, order: Order) -> Outcome:
        stranger = self.stranger(request.expected, request.operation, order.shown())
        if stranger is not None:
            return stranger
        result = of_order(request.operation, order, request.idempotency_key, self.approval_s)
        if isinstance(result, NotFound):
            return about_another(f"it shows an order that is {order.status}")
        if isinstance(result, ActionRequired) and request.terms.return_url is None and order.source != "card":
            return replace(result, action=Sdk("paypal", self._for_the_page(order)))
        if request.operation is Operation.PROCESS and isinstance(result, Approved):
            minor = order.captured_minor if result.captured else newest_authorization(order).amount.minor
            if minor != request.amount.minor:
                return other_money(f"{minor} {order.amount.currency}", request.amount)
        return result

    def _for_the_page(self, order: Order) -> Mapping[str, Any]:
        return {"client_id": self.client_id, "order_id": order.id}


def turned_away(answer: HttpAnswer) -> NotSent | Declined | Unknown:
    """The outcome of a call that was answered with an error."""
    if answer.status >= 500:
        return _unusable(answer, "")
    try:
        error = read_error(parsed(answer.body))
    except Unreadable as problem:
        error = PayPalError("", str(problem))
        if answer.status not in (401, 403, 429):
            return _unusable(answer, str(problem))
    if answer.status == 429:
        return NotSent(error.issue or "rate limited", answer.retry_after_s(), NotSentKind.RATE_LIMIT)
    if answer.status in (401, 403):
        return Declined("gateway_misconfigured", error.issue or str(answer.status), error.message)
    # A 404 is a doubt, because we were given the id: it may be another account's secret.
    if answer.status not in (400, 422) or error.issue in IN_DOUBT:
        return _unusable(answer, error.issue)
    return refused(error)


def _unusable(answer: HttpAnswer, why: str) -> Unknown:
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"HTTP {answer.status} {why}".rstrip(), stored=answer.status == 500, kind=kind)
