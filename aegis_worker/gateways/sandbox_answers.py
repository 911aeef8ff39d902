"""What the sandbox gateway's answers mean, in AegisPay's words. Pure."""

from __future__ import annotations

import json
from typing import Any

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

from .base import GatewayRequest, StatusQuery
from .http_client import Answer

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
VERBS = {
    Operation.AUTHENTICATE: "authenticate",
    Operation.PROCESS: "charge",
    Operation.CAPTURE: "capture",
    Operation.VOID: "void",
    Operation.REFUND: "refund",
}
# The steps that lead to a charge, each with the statuses in which the payment exists without the step having happened.
_NOT_YET = {
    Operation.INITIATE: frozenset[str](),
    Operation.AUTHENTICATE: frozenset({"created"}),
    Operation.PROCESS: frozenset({"created", "authenticated"}),
}
_ACCEPTED = frozenset({"authenticated", "pending", "authorized", "succeeded"})


def outcome(request: GatewayRequest, answer: Answer) -> Outcome:
    """What a POST ended in."""
    if answer.status == 429:
        return NotSent("rate limited", answer.retry_after_s(), NotSentKind.RATE_LIMIT)
    body = as_object(answer)
    error = error_of(body)
    code, message = str(error.get("code", "")), str(error.get("message", ""))
    if answer.status in (401, 403):
        return Declined("gateway_misconfigured", code, message)
    if body is None:
        return _unusable(answer, "with an unparsable body")
    if answer.status in (200, 201, 202):
        return _accepted(request, body)
    if answer.status == 402 and code:
        return _declined(code, message, body.get("payment"))
    if _is_refusal(request.operation, answer.status, code):
        return Declined("invalid_request", code, message)
    return _unusable(answer, code)


def lookup(query: StatusQuery, payment: dict[str, Any]) -> Lookup:
    """What a payment, as a look-up shows it, says about the operation asked for."""
    if query.operation in _NOT_YET:
        return _by_status(query.operation, payment)
    operations = payment.get("operations")
    if not isinstance(operations, list) or not all(isinstance(done, dict) for done in operations):
        return Unknown("unexpected body", kind=UnknownKind.UNREADABLE)
    for done in operations:
        if (done.get("operation"), done.get("reference")) == (VERBS[query.operation], query.reference):
            code = done.get("error_code")
            return _declined(str(code), "", payment) if code else _done(query.operation, payment)
    return NotFound()


def _unusable(answer: Answer, why: str) -> Unknown:
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"HTTP {answer.status} {why}", stored=answer.status == 500, kind=kind)


def as_object(answer: Answer) -> dict[str, Any] | None:
    """The JSON object in an answer, or None."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def error_of(body: dict[str, Any] | None) -> dict[str, Any]:
    """The `error` in a body; empty where there is none."""
    error = (body or {}).get("error")
    return error if isinstance(error, dict) else {}


def _accepted(request: GatewayRequest, payment: dict[str, Any]) -> Outcome:
    if request.operation not in _NOT_YET:
        return _done(request.operation, payment)
    seen = _by_status(request.operation, payment)
    money = (request.amount.minor, request.amount.currency)
    if isinstance(seen, NotFound) or (payment.get("amount"), payment.get("currency")) != money:
        return Unknown("an answer that does not fit the request", kind=UnknownKind.UNREADABLE)
    return seen


def _is_refusal(operation: Operation, status: int, code: str) -> bool:
    if code == "idempotency_mismatch":
        return False  # the first call with this key may have done something
    if code == "invalid_state":
        # Another charge may have gone through, so a charge asks; later operations did nothing under this key.
        return operation not in _NOT_YET
    return bool(code) and status in (400, 404, 413, 422)


def _by_status(operation: Operation, payment: dict[str, Any]) -> Lookup:
    ref, status = payment.get("id"), payment.get("status")
    if not isinstance(ref, str) or not isinstance(status, str):
        return Unknown("unexpected body", kind=UnknownKind.UNREADABLE)
    if status in _NOT_YET[operation]:
        return NotFound()
    if status == "failed":
        return _declined(str((payment.get("last_error") or {}).get("code", "")), "", payment)
    if status == "voided":
        return Declined("generic_decline", status, "released at the gateway", ref)
    if operation is Operation.INITIATE:
        return Approved(ref, captured=False)
    if status == "requires_action":
        return ActionRequired(ref, str((payment.get("next_action") or {}).get("redirect_url", "")))
    if status == "pending" and operation is Operation.PROCESS:
        return Pending(ref)
    if status in _ACCEPTED:
        refunded, captured = payment.get("amount_refunded"), payment.get("amount_captured")
        return Approved(
            ref, captured=status == "succeeded", given_back=bool(refunded) and refunded == captured
        )
    return Unknown(f"unexpected status {status!r}", kind=UnknownKind.UNREADABLE)


def _done(operation: Operation, payment: dict[str, Any]) -> Approved | Unknown:
    ref = payment.get("id")
    if not isinstance(ref, str):
        return Unknown("unexpected body", kind=UnknownKind.UNREADABLE)
    return Approved(ref, captured=operation is not Operation.VOID)


def _declined(code: str, message: str, payment: Any) -> Declined:
    ref = payment.get("id") if isinstance(payment, dict) else None
    return Declined(DECLINE_CODES.get(code, "generic_decline"), code, message, ref)
