"""Translates the sandbox gateway's answers to operations into AegisPay's outcomes. Pure."""

from __future__ import annotations

from msgspec.structs import replace

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
from ..kit.identity import Shown, about_another, mismatch, other_money
from ..kit.reading import Unreadable, child, identifier, parsed, words
from ..requests import GatewayRequest
from .codes import declined
from .payment import IDENTITY, NOT_YET, SandboxPayment, read_payment
from .standing import after_confirm, by_status


def outcome(request: GatewayRequest, answer: HttpAnswer) -> Outcome:
    """The outcome of a POST."""
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


def _unusable(answer: HttpAnswer, why: str) -> Unknown:
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"HTTP {answer.status} {why}".rstrip(), stored=answer.status == 500, kind=kind)


def _accepted(request: GatewayRequest, payment: SandboxPayment) -> Outcome:
    operation = request.operation
    done = None if operation in NOT_YET else payment.done(operation, request.idempotency_key)
    if operation not in NOT_YET and (done is None or done.error_code):
        return about_another(f"it does not show the {operation} under {request.idempotency_key}")
    stranger = mismatch(IDENTITY.answers[operation], request.expected, payment.shown(done))
    if stranger is not None:
        return stranger
    if operation is Operation.CONFIRM:
        seen = after_confirm(payment)
        return seen if not isinstance(seen, NotFound) else about_another(f"it shows {payment.status}")
    if done is not None and done.status == "pending":
        return Pending(payment.id)
    if done is not None:
        return Approved(payment.id, captured=operation not in (Operation.VOID, Operation.CLOSE))
    seen = by_status(operation, payment)
    if isinstance(seen, NotFound | Declined):
        return about_another(f"it shows a payment that is {payment.status}")
    if payment.status == "succeeded" and payment.captured_minor != request.amount.minor:
        return other_money(f"{payment.captured_minor} {payment.currency} captured", request.amount)
    return seen


def _declined_by(
    request: GatewayRequest, payment: SandboxPayment, named: set[str], code: str, message: str
) -> Outcome:
    """The outcome of an error that shows the payment: declined, if the payment or operation shows the same error.

    A new charge on a payment that had already failed leaves no operation on it. Then the reference `named` beside the
    error says whose call was declined.
    """
    is_charge = request.operation in NOT_YET
    done = None if is_charge else payment.done(request.operation, request.idempotency_key)
    stands = payment.error_code if is_charge else done and done.error_code
    if stands != code:
        return about_another(f"it says {code}, and shows a payment that is {payment.status}")
    shown = payment.shown(done)
    if request.gateway_ref == payment.id:
        shown = replace(shown, references={*shown.references, *named})
    stranger = mismatch(IDENTITY.answers[request.operation], request.expected, shown)
    return declined(code, message, payment.id) if stranger is None else stranger


def _refused_unseen(request: GatewayRequest, answer: HttpAnswer, code: str, message: str) -> Outcome:
    """The outcome when the gateway refused before it looked into the payment: this call did nothing."""
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
        # A charge stays in doubt, because another charge may have gone through. Later operations did nothing under this
        # key.
        return operation not in NOT_YET
    return status in (400, 404, 413, 422)
