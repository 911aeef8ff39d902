"""For gateways whose every answer shows the whole payment, with what was done to it. Pure.

The adapter of such a gateway reads the payment and the code of an error. What follows from them is the same everywhere:
whether the answer is ours (design D18), what became of the operation that was asked for, and which outcome an HTTP status
means (`gateways.base`). Our references are its idempotency keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, TypeAlias, get_args

from msgspec import Struct

from aegis_worker.domain.actions import NextAction
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    Movement,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind

from .kit.flows import HttpAnswer
from .kit.identity import EVERYTHING, Carries, Declared, Expected, Shown, about_another, mismatch, other_money
from .kit.reading import Unreadable, children, identifier, parsed, words
from .requests import GatewayRequest, StatusQuery

Status: TypeAlias = Literal["requires_action", "pending", "authorized", "succeeded", "failed", "voided"]
ChangeStatus: TypeAlias = Literal["pending", "succeeded", "failed"]
STATUSES: frozenset[Status] = frozenset(get_args(Status))
CHANGE_STATUSES: frozenset[ChangeStatus] = frozenset(get_args(ChangeStatus))
# What an adapter of such a gateway declares.
WHOLE_PAYMENTS = Declared(dict.fromkeys(Operation, EVERYTHING), dict.fromkeys(Operation, EVERYTHING))
_LISTED = Carries(reference=True)
_ENDS = (Operation.VOID, Operation.CLOSE)
_MOVING = (Operation.CAPTURE, Operation.REFUND)


class Change(Struct, frozen=True):
    """A capture, void, refund or close that was asked for under our `reference`; `id`: the gateway's own, if it has one.

    `minor`: in minor units. `code`: the gateway's own word for why it failed.
    """

    operation: Operation
    reference: str
    minor: int
    status: ChangeStatus
    id: str = ""
    code: str = ""


class WholePayment(Struct, frozen=True):
    """A payment as the gateway shows it; amounts in minor units. `code`: the gateway's own word for why it failed."""

    id: str
    reference: str
    status: Status
    minor: int
    currency: str
    captured_minor: int
    refunded_minor: int
    changes: Sequence[Change] = ()
    code: str = ""
    action: NextAction | None = None
    capture_before: datetime | None = None

    def shown(self, change: Change | None = None) -> Shown:
        """What an answer with it shows: of the whole payment, or of one change."""
        if change is None or change.operation in _ENDS:
            references = {self.reference, *(one.reference for one in self.changes)}
            return Shown(references, self.id, self.minor, self.currency)
        return Shown({change.reference}, self.id, change.minor, self.currency)

    @property
    def movements(self) -> tuple[Movement, ...]:
        """Each of its captures and refunds."""
        return tuple(
            Movement(one.operation, one.minor, one.status, one.reference, one.id or None, one.code)
            for one in self.changes
            if one.operation in _MOVING
        )


class _Asked(Struct, frozen=True):
    """What was asked for, or is asked about: the operation, its key, and what an answer has to be about."""

    operation: Operation
    key: str
    expected: Expected
    movements: bool = False

    @classmethod
    def about(cls, query: StatusQuery) -> Self:
        return cls(query.operation, query.reference, query.expected, query.movements)


def _code_and_message(body: Mapping[str, Any]) -> tuple[str, str]:
    return identifier(body, "code"), words(body, "message")


@dataclass(frozen=True, slots=True)
class Translation:
    """What is the gateway's own. `payment` and `error` read a body, and raise Unreadable; `error` gives code and message.

    `declines`: by the gateway's code, ours. `doubts`: codes of errors that don't say that nothing was done, such as that of
    a key which was used before. `listed`: the name under which a look-up by reference lists payments.
    """

    payment: Callable[[Mapping[str, Any]], WholePayment]
    declines: Mapping[str, str]
    doubts: frozenset[str] = frozenset()
    error: Callable[[Mapping[str, Any]], tuple[str, str]] = _code_and_message
    listed: str = "payments"

    def outcome(self, request: GatewayRequest, answer: HttpAnswer) -> Outcome:
        """The outcome of an operation, by the answer to its call."""
        asked = _Asked(request.operation, request.idempotency_key, request.expected)
        try:
            body = parsed(answer.body)
            if answer.status not in (200, 201, 202):
                return self._refused(answer, *self.error(body))
            payment = self.payment(body)
        except Unreadable as problem:
            return _unusable(answer, str(problem))
        said = self._about(asked, payment)
        if isinstance(said, NotFound):
            return about_another(f"it does not show the {asked.operation} under {asked.key}")
        ours = asked.expected.amount
        is_charged = asked.operation is Operation.PROCESS and payment.status == "succeeded"
        if is_charged and isinstance(said, Approved) and ours and payment.captured_minor != ours.minor:
            return other_money(f"{payment.captured_minor} {payment.currency} captured", ours)
        return said

    def found(self, query: StatusQuery, answer: HttpAnswer) -> Lookup:
        """What became of an operation, by a look-up of its payment. A 404 on an id that we were given proves nothing."""
        try:
            if answer.status == 200:
                return self._about(_Asked.about(query), self.payment(parsed(answer.body)))
        except Unreadable as problem:
            return _unusable(answer, str(problem))
        return _unusable(answer, "")

    def found_by_reference(self, query: StatusQuery, answer: HttpAnswer) -> Lookup:
        """What became of an operation, by a list of the payments under our reference, which the list has to name."""
        if answer.status != 200:
            return _unusable(answer, "")
        try:
            body = parsed(answer.body)
            named = Shown({identifier(body, "reference")})
            payments = [self.payment(one) for one in children(body, self.listed)]
        except Unreadable as problem:
            return _unusable(answer, str(problem))
        stranger = mismatch(_LISTED, query.expected, named)
        if stranger is not None or not payments:
            return stranger or NotFound()
        if len(payments) > 1:
            return Unknown(f"{len(payments)} payments under {query.reference}", kind=UnknownKind.MISMATCH)
        return self._about(_Asked.about(query), payments[0])

    def _about(self, asked: _Asked, payment: WholePayment) -> Lookup:
        if asked.operation is Operation.PROCESS:
            stranger = mismatch(EVERYTHING, asked.expected, payment.shown())
            return stranger or self._charge(asked, payment)
        sought = (asked.operation, asked.key)
        change = next((one for one in payment.changes if (one.operation, one.reference) == sought), None)
        if change is None:
            is_asked_about = asked.expected.gateway_ref in (None, payment.id)
            return NotFound() if is_asked_about else about_another(f"it shows {payment.id}")
        stranger = mismatch(EVERYTHING, asked.expected, payment.shown(change))
        return stranger or self._change(payment, change)

    def _charge(self, asked: _Asked, payment: WholePayment) -> Lookup:
        match payment.status:
            case "failed":
                return self._declined(payment.code, payment.id)
            case "voided":
                return Declined(
                    "generic_decline", "voided", "released at the gateway", payment.id, released=True
                )
            case "requires_action" if payment.action is not None:
                return ActionRequired(payment.id, payment.action)
            case "requires_action" | "pending":
                return Pending(payment.id)
        return Approved(
            payment.id,
            payment.captured_minor > 0,
            payment.captured_minor,
            payment.refunded_minor,
            movements=payment.movements if asked.movements else None,
            still_held=payment.status == "authorized" if asked.movements else None,
            capture_before=payment.capture_before,
        )

    def _change(self, payment: WholePayment, change: Change) -> Lookup:
        if change.status == "failed":
            return self._declined(change.code, payment.id)
        if change.status == "pending":
            return Pending(change.id or payment.id)
        return Approved(change.id or payment.id, captured=change.operation not in _ENDS)

    def _declined(self, code: str, gateway_ref: str) -> Declined:
        return Declined(self.declines.get(code, "generic_decline"), code, "", gateway_ref)

    def _refused(self, answer: HttpAnswer, code: str, message: str) -> Outcome:
        if answer.status == 429:
            return NotSent("rate limited", answer.retry_after_s(), NotSentKind.RATE_LIMIT)
        if answer.status in (401, 403):
            return Declined("gateway_misconfigured", code, message)
        if answer.status in (400, 404, 409, 413, 422) and code not in self.doubts:
            return Declined("invalid_request", code, message)
        return _unusable(answer, code)


def _unusable(answer: HttpAnswer, why: str) -> Unknown:
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"HTTP {answer.status} {why}".rstrip(), stored=answer.status == 500, kind=kind)
