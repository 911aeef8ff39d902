"""Translates Adyen's answers to operations into AegisPay's outcomes. Pure.

A refused payment is HTTP 200 with a `resultCode`. A capture, cancel or refund is only taken in ("received"), so it is
pending until a webhook tells what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.modes import Mode
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind

from ..kit.flows import HttpAnswer
from ..kit.identity import NOTHING, Carries, Expected, mismatch
from ..kit.reading import Unreadable, parsed
from ..requests import GatewayRequest
from .charges import is_charge_of, is_our_own
from .codes import invalid, refused
from .objects import IDENTITY, WITHOUT_MONEY, AdyenError, Charged, read_changed, read_charged, read_error

_OF_A_CHARGE = (Operation.PROCESS, Operation.CONFIRM)
_REFUSED = frozenset({"Refused", "Cancelled", "Error"})
_LATER = frozenset({"Pending", "Received"})
# "Request already processed or in progress": the first call under this key has not ended, or was another one.
_KEY_IN_USE = "704"
# Says that the same call may go out again under its key: docs.adyen.com/development-resources/api-idempotency.
_TRANSIENT = "transient-error"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the answers that one merchant account gets."""

    mode: Mode
    merchant_account: str

    def outcome(self, request: GatewayRequest, answer: HttpAnswer) -> Outcome:
        """The outcome of a POST."""
        if answer.status >= 500:
            return _unusable(answer, "")
        try:
            body = parsed(answer.body)
            if answer.status not in (200, 201):
                return _turned_away(answer, read_error(body))
            if request.operation in _OF_A_CHARGE:
                return self._charged(request, body)
            return self._changed(request, body)
        except Unreadable as problem:
            return _unusable(answer, str(problem))

    def _charged(self, request: GatewayRequest, body: Mapping[str, Any]) -> Outcome:
        charged = read_charged(body)
        stranger = mismatch(_carries(request, charged), _expected(request, charged), charged.shown())
        if stranger is not None:
            return stranger
        # Until Adyen tells its reference, the payment is known by ours.
        ref = charged.gateway_ref or request.gateway_ref or request.idempotency_key
        if charged.action is not None:
            return ActionRequired(ref, charged.action, charged.action_ends_at)
        if charged.result in _REFUSED:
            return refused(body, charged.gateway_ref)
        if charged.result in _LATER:
            return Pending(ref)
        if charged.result != "Authorised" or charged.gateway_ref is None:
            raise Unreadable(f"a payment that is {charged.result}")
        network_id = charged.network_transaction_id
        return Approved(charged.gateway_ref, captured=request.capture, network_transaction_id=network_id)

    def _changed(self, request: GatewayRequest, body: Mapping[str, Any]) -> Outcome:
        changed = read_changed(body)
        expected = request.expected.under(self.mode, self.merchant_account)
        stranger = mismatch(IDENTITY.answers[request.operation], expected, changed.shown())
        return stranger or Pending(changed.gateway_ref, "Adyen has taken it in")


def _expected(request: GatewayRequest, charged: Charged) -> Expected:
    """Adyen names the payment when it likes, so our reference decides. A confirm is answered with that of its charge: this
    one where we know the charge by it, else that of any charge of the payment.
    """
    expected, known = replace(request.expected, gateway_ref=None), request.gateway_ref
    if request.operation is not Operation.CONFIRM:
        return expected
    if known is not None and is_our_own(known):
        return replace(expected, references=frozenset({known}))
    if is_charge_of(request.payment_id, charged.reference):
        return replace(expected, references=frozenset({charged.reference}))
    return expected


def _carries(request: GatewayRequest, charged: Charged) -> Carries:
    """What the answer must show. One that only asks the payer to act has moved nothing, and Adyen names nothing in some."""
    if charged.action is not None:
        return NOTHING
    return IDENTITY.answers[request.operation] if charged.result == "Authorised" else WITHOUT_MONEY


def _turned_away(answer: HttpAnswer, error: AdyenError) -> Outcome:
    if answer.status == 429:
        return NotSent(error.code or "rate limited", answer.retry_after_s(), NotSentKind.RATE_LIMIT)
    if error.code == _KEY_IN_USE or _is_transient(answer):
        return _unusable(answer, error.code)
    if answer.status in (401, 403):
        return Declined("gateway_misconfigured", error.code or str(answer.status), error.message)
    if answer.status in (400, 422):
        return invalid(error.code, error.message)
    return _unusable(answer, error.code)


def _unusable(answer: HttpAnswer, why: str) -> Unknown:
    """A 500 is kept under its key, unless Adyen says that it is transient."""
    kind = UnknownKind.of_status(answer.status)
    stored = answer.status == 500 and not _is_transient(answer)
    return Unknown(f"HTTP {answer.status} {why}".rstrip(), stored=stored, kind=kind)


def _is_transient(answer: HttpAnswer) -> bool:
    found = (value for name, value in answer.headers.items() if name.lower() == _TRANSIENT)
    return next(found, "").strip().lower() == "true"
