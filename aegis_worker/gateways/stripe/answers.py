"""Translates Stripe's answers to operations into AegisPay's outcomes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_worker.domain.modes import Mode
from aegis_worker.domain.outcomes import (
    CHARGING_STEPS,
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
from ..kit.identity import Expected, about_another, mismatch, other_money
from ..kit.reading import Unreadable, parsed
from ..requests import GatewayRequest
from .codes import declined
from .errors import StripeError, read_error
from .objects import IDENTITY, Intent, read_intent, read_refund
from .standing import of_intent, of_refund

# Fields that say by what to pay: what is wrong with one is wrong with the token.
_INSTRUMENT = ("payment_method", "customer")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the answers that one gateway's table gets. `mode`: what they must say of themselves.

    `publishable_key`: what Stripe.js in the shop's page needs beside an intent's secret.
    """

    mode: Mode
    publishable_key: str

    def outcome(self, request: GatewayRequest, answer: HttpAnswer) -> Outcome:
        """The outcome of a POST."""
        if answer.status >= 500:
            return _unusable(answer, "")
        try:
            body = parsed(answer.body)
            if answer.status != 200:
                return self._refused(request, answer, read_error(body))
            if request.operation is Operation.REFUND:
                refund = read_refund(body)
                return mismatch(_SHOWN[Operation.REFUND], request.expected, refund.shown()) or of_refund(
                    refund
                )
            return self._accepted(request, read_intent(body))
        except Unreadable as problem:
            return _unusable(answer, str(problem))

    def stranger(
        self, operation: Operation, reference: str, expected: Expected, intent: Intent
    ) -> Unknown | None:
        """Why an intent is not the one that was asked about. None if it is."""
        ours = expected.under(self.mode, None)
        return mismatch(_SHOWN[operation], ours, intent.shown_for(operation, reference))

    def _accepted(self, request: GatewayRequest, intent: Intent) -> Outcome:
        operation, key = request.operation, request.idempotency_key
        stranger = self.stranger(operation, key, request.expected, intent)
        if stranger is not None:
            return stranger
        if operation is Operation.VOID and intent.received_minor and intent.status == "succeeded":
            return Approved(intent.id, captured=False)  # the rest of a hold that was captured in part
        result = of_intent(operation, intent, key, self.publishable_key)
        if isinstance(result, NotFound | Declined):
            return about_another(f"it shows an intent that is {intent.status}")
        takes = operation is Operation.PROCESS and intent.status == "succeeded"
        if takes and intent.received_minor != request.amount.minor:
            return other_money(f"{intent.received_minor} {intent.currency} captured", request.amount)
        return result

    def _refused(self, request: GatewayRequest, answer: HttpAnswer, error: StripeError) -> Outcome:
        if answer.status == 429:
            return NotSent(error.code or "rate limited", answer.retry_after_s(), NotSentKind.RATE_LIMIT)
        if answer.status in (401, 403):
            return Declined("gateway_misconfigured", error.code or error.type, error.message)
        if answer.status == 402:
            return self._declined(request, error)
        if answer.status == 409 or error.type == "idempotency_error":
            # The first call under this key is still under way, or was another one: it may have done something.
            return _unusable(answer, error.code or error.type)
        if error.code == "payment_intent_unexpected_state":
            return self._out_of_turn(request, answer, error)
        return _invalid(answer, error)

    def _declined(self, request: GatewayRequest, error: StripeError) -> Outcome:
        """A decline. That of a charge shows the intent; what it shows must be declined as well."""
        if request.operation not in CHARGING_STEPS:
            return declined(error, None)
        if error.intent is None:
            return about_another("a decline that shows no intent")
        intent = read_intent(error.intent)
        stranger = self.stranger(request.operation, request.idempotency_key, request.expected, intent)
        if stranger is not None:
            return stranger
        if intent.status != "requires_payment_method":
            return about_another(f"it says {error.code}, and shows an intent that is {intent.status}")
        return declined(error, intent.id)

    def _out_of_turn(self, request: GatewayRequest, answer: HttpAnswer, error: StripeError) -> Outcome:
        """The intent is in no state for it: another call may have done it, which the intent shows; of a charge ask."""
        if request.operation in CHARGING_STEPS or error.intent is None:
            return _unusable(answer, error.code)
        intent = read_intent(error.intent)
        stranger = about_another(f"it shows {intent.id}") if intent.id != request.gateway_ref else None
        result = of_intent(request.operation, intent, request.idempotency_key, self.publishable_key)
        if isinstance(result, NotFound):
            result = Declined("invalid_request", error.code, error.message, intent.id)
        return stranger or result


_SHOWN = IDENTITY.answers


def _invalid(answer: HttpAnswer, error: StripeError) -> Outcome:
    if error.param.startswith(_INSTRUMENT):
        return Declined("invalid_token", error.code or error.type, error.message)
    if answer.status == 404:
        return _unusable(answer, error.code)  # we were given the id, so this may be the wrong account
    if answer.status == 400:
        return Declined("invalid_request", error.code or error.type, error.message)
    return _unusable(answer, error.code)


def _unusable(answer: HttpAnswer, why: str) -> Unknown:
    kind = UnknownKind.of_status(answer.status)
    return Unknown(f"HTTP {answer.status} {why}".rstrip(), stored=answer.status == 500, kind=kind)
