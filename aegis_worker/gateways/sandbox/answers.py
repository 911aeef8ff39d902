"""What the sandbox gateway's answers mean, in AegisPay's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind

from ..base import GatewayEvent, GatewayRequest, StatusQuery
from ..http_client import Answer
from ..identity import EVERYTHING, Carries, Declared, Shown, about_another, mismatch, other_money
from ..reading import (
    Unreadable,
    child,
    children,
    currency,
    identifier,
    minor_units,
    parsed,
    words,
)
from .payment import SandboxPayment, read_payment

# The sandbox's codes in our words. Any other code is a plain decline.
DECLINE_CODES = {
    "account_closed": "closed_account",
    "authentication_failed": "authentication_failed",
    "card_not_supported": "card_not_supported",
    "currency_not_supported": "currency_not_supported",
    "do_not_honor": "do_not_honor",
    "expired_card": "expired_card",
    "fraud": "suspected_fraud",
    "insufficient_funds": "insufficient_funds",
    "invalid_account": "invalid_account",
    "invalid_cvc": "invalid_cvc",
    "invalid_number": "invalid_number",
    "issuer_unavailable": "issuer_unavailable",
    "lost_card": "lost_card",
    "not_permitted": "transaction_not_permitted",
    "pickup_card": "pickup_card",
    "processing_error": "processing_error",
    "restricted_card": "restricted_card",
    "revocation": "revocation_of_authorization",
    "stolen_card": "stolen_card",
    "try_again": "try_again_later",
    "velocity": "velocity_exceeded",
    "withdrawal_limit": "amount_limit_exceeded",
}
# The steps that lead to a charge, each with the statuses in which the payment exists without the step having happened.
_NOT_YET = {
    Operation.INITIATE: frozenset[str](),
    Operation.AUTHENTICATE: frozenset({"created"}),
    Operation.PROCESS: frozenset({"created", "authenticated"}),
}
# Every answer that concerns a payment shows all of it. One that concerns none names our reference: a refusal, a 404.
IDENTITY = Declared(
    answers=dict.fromkeys(Operation, EVERYTHING),
    look_ups=dict.fromkeys(Operation, EVERYTHING),
    refusals=Carries(reference=True),
    absences=Carries(reference=True, gateway_ref=True),
)
_FURTHEST_FIRST = (Approved, Pending, ActionRequired, Unknown, Declined, NotFound)
# A payment that was looked up by its id and stands before the step asked about: the step's reference is not there yet.
_BEFORE_THE_STEP = replace(EVERYTHING, reference=False)


def outcome(request: GatewayRequest, answer: Answer) -> Outcome:
    """What a POST ended in."""
    if answer.status >= 500:
        return _unusable(answer, "")
    try:
        body = parsed(answer.body)
        if answer.status in (200, 201, 202):
            return _accepted(request, read_payment(body))
        error = child(body, "error")
        code, message = identifier(error, "code"), words(error, "message")
        named = {identifier(body, "reference")} if "reference" in body else set()
        if answer.status == 402:
            return _declined_by(request, read_payment(child(body, "payment")), named, code, message)
        stranger = mismatch(IDENTITY.refusals, request.expected, Shown(named))
    except Unreadable as problem:
        return _unusable(answer, str(problem))
    if stranger is not None:
        return replace(stranger, kind=UnknownKind.RATE_LIMIT) if answer.status == 429 else stranger
    return _refused_unseen(request, answer, code, message)


def found_or_not(query: StatusQuery, answer: Answer) -> dict[str, Any] | Unknown | NotFound:
    """The body of an answer to a look-up; or that there is no such payment, which must say which one."""
    try:
        body = parsed(answer.body)
        if answer.status == 200:
            return body
        if answer.status == 404 and child(body, "error").get("code") == "not_found":
            absent = Shown(query.expected.references, identifier(body, "payment_id"))
            return mismatch(IDENTITY.absences, query.expected, absent) or NotFound()
    except Unreadable as problem:
        kind = UnknownKind.of_status(answer.status)
        return Unknown(f"look-up answered HTTP {answer.status}: {problem}", kind=kind)
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"look-up answered HTTP {answer.status}", kind=kind)


def among(query: StatusQuery, body: Mapping[str, Any]) -> Lookup:
    """What the payments say that a look-up by our reference lists: of ours, the one that got furthest.

    A list that shows only others' payments was not filtered as it was asked: it proves nothing, not even absence.
    """
    try:
        asked = Shown({identifier(body, "reference")})
        payments = [read_payment(each) for each in children(body, "data")]
    except Unreadable as problem:
        return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)
    stranger = mismatch(IDENTITY.absences, query.expected, asked)
    if stranger is not None:
        return stranger
    ours = [payment for payment in payments if not query.expected.references.isdisjoint(payment.references)]
    if payments and not ours:
        return about_another(f"{len(payments)} payments of others, and none under {query.reference}")
    results = [_about(query, payment) for payment in ours]
    return min(results, key=lambda result: _FURTHEST_FIRST.index(type(result)), default=NotFound())


def event_of(body: bytes) -> GatewayEvent:
    """A webhook, in AegisPay's words. Raises Unreadable."""
    event = parsed(body)
    payment = child(event, "data")
    return GatewayEvent(
        identifier(event, "id"),
        identifier(payment, "reference"),
        identifier(payment, "id"),
        identifier(event, "type"),
        Money(minor_units(payment, "amount"), currency(payment)) if "amount" in payment else None,
    )


def lookup(query: StatusQuery, body: Mapping[str, Any]) -> Lookup:
    """What a payment, as a look-up shows it, says about the operation asked for."""
    try:
        payment = read_payment(body)
    except Unreadable as problem:
        return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)
    return _about(query, payment)


def _about(query: StatusQuery, payment: SandboxPayment) -> Lookup:
    return _of_charge(query, payment) if query.operation in _NOT_YET else _of_later_step(query, payment)


def _of_charge(query: StatusQuery, payment: SandboxPayment) -> Lookup:
    is_before = query.gateway_ref is not None and payment.status in _NOT_YET[query.operation]
    carries = _BEFORE_THE_STEP if is_before else IDENTITY.look_ups[query.operation]
    shown = replace(payment.shown(), references=()) if is_before else payment.shown()
    stranger = mismatch(carries, query.expected, shown)
    return _by_status(query.operation, payment) if stranger is None else stranger


def _of_later_step(query: StatusQuery, payment: SandboxPayment) -> Lookup:
    done = payment.done(query.operation, query.reference)
    if done is None:
        if query.gateway_ref in (None, payment.id):
            return NotFound()
        return about_another(f"it shows {payment.id}, asked was about {query.gateway_ref}")
    stranger = mismatch(IDENTITY.look_ups[query.operation], query.expected, payment.shown(done))
    if stranger is not None:
        return stranger
    if done.error_code:
        return _declined(done.error_code, "", payment.id)
    return Approved(payment.id, captured=query.operation is not Operation.VOID)


def _unusable(answer: Answer, why: str) -> Unknown:
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"HTTP {answer.status} {why}".rstrip(), stored=answer.status == 500, kind=kind)


def _accepted(request: GatewayRequest, payment: SandboxPayment) -> Outcome:
    operation = request.operation
    done = None if operation in _NOT_YET else payment.done(operation, request.idempotency_key)
    if operation not in _NOT_YET and (done is None or done.error_code):
        return about_another(f"it does not show the {operation} under {request.idempotency_key}")
    stranger = mismatch(IDENTITY.answers[operation], request.expected, payment.shown(done))
    if stranger is not None:
        return stranger
    if done is not None:
        return Approved(payment.id, captured=operation is not Operation.VOID)
    seen = _by_status(operation, payment)
    if isinstance(seen, NotFound | Declined):
        return about_another(f"it shows a payment that is {payment.status}")
    if payment.status == "succeeded" and payment.captured_minor != request.amount.minor:
        return other_money(f"{payment.captured_minor} {payment.currency} captured", request.amount)
    return seen


def _declined_by(
    request: GatewayRequest, payment: SandboxPayment, named: set[str], code: str, message: str
) -> Outcome:
    """A decline stands on the payment, or on the operation that was declined, as the error says it.

    A charge of a payment that had failed before leaves no operation on it: then the reference that is `named` beside the
    error says whose call was declined.
    """
    is_charge = request.operation in _NOT_YET
    done = None if is_charge else payment.done(request.operation, request.idempotency_key)
    stands = payment.error_code if is_charge else done and done.error_code
    if stands != code:
        return about_another(f"it says {code}, and shows a payment that is {payment.status}")
    shown = payment.shown(done)
    if request.gateway_ref == payment.id:
        shown = replace(shown, references={*shown.references, *named})
    stranger = mismatch(IDENTITY.answers[request.operation], request.expected, shown)
    return _declined(code, message, payment.id) if stranger is None else stranger


def _refused_unseen(request: GatewayRequest, answer: Answer, code: str, message: str) -> Outcome:
    """Refused before the gateway looked into the payment: nothing happened by this call."""
    if answer.status == 429:
        return NotSent("rate limited", answer.retry_after_s(), NotSentKind.RATE_LIMIT)
    if answer.status in (401, 403):
        return Declined("gateway_misconfigured", code, message)
    if _is_refusal(request.operation, answer.status, code):
        return Declined("invalid_request", code, message)
    return _unusable(answer, code)


def _is_refusal(operation: Operation, status: int, code: str) -> bool:
    if code == "idempotency_mismatch":
        return False  # the first call with this key may have done something
    if code == "invalid_state":
        # Another charge may have gone through, so a charge asks; later operations did nothing under this key.
        return operation not in _NOT_YET
    return status in (400, 404, 413, 422)


def _by_status(
    operation: Operation, payment: SandboxPayment
) -> Approved | Declined | ActionRequired | Pending | NotFound:
    status = payment.status
    if status in _NOT_YET[operation]:
        return NotFound()
    if status == "failed":
        return _declined(payment.error_code, "", payment.id)
    if status == "voided":
        return Declined("generic_decline", status, "released at the gateway", payment.id)
    if operation is Operation.INITIATE:
        return Approved(payment.id, captured=False)
    if status == "requires_action":
        return ActionRequired(payment.id, payment.redirect_url)
    if status == "pending" and operation is Operation.PROCESS:
        return Pending(payment.id)
    if operation is Operation.AUTHENTICATE:
        return Approved(payment.id, captured=False)
    return Approved(payment.id, status == "succeeded", payment.captured_minor, payment.refunded_minor)


def _declined(code: str, message: str, gateway_ref: str) -> Declined:
    return Declined(DECLINE_CODES.get(code, "generic_decline"), code, message, gateway_ref)
