"""Errors in Stripe's form: docs.stripe.com/api/errors. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..payments import new_id
from ..replies import Refusal, Reply, json_reply


@dataclass(frozen=True, slots=True)
class CardError:
    """What is said of one decline: the error's code, the issuer's (if it is one of an issuer), and advice."""

    code: str
    decline_code: str = ""
    advice_code: str = ""


_ISSUER = "card_declined"
# What the scripts decline with, in Stripe's words: docs.stripe.com/declines/codes.
DECLINES = {
    "account_closed": CardError(_ISSUER, "invalid_account", "do_not_try_again"),
    "authentication_failed": CardError("payment_intent_authentication_failure"),
    "authentication_required": CardError("authentication_required", "authentication_required"),
    "card_not_supported": CardError(_ISSUER, "card_not_supported"),
    "currency_not_supported": CardError(_ISSUER, "currency_not_supported"),
    "do_not_honor": CardError(_ISSUER, "do_not_honor", "try_again_later"),
    "expired_card": CardError("expired_card", "expired_card"),
    "fraud": CardError(_ISSUER, "fraudulent"),
    "generic_decline": CardError(_ISSUER, "generic_decline"),
    "insufficient_funds": CardError(_ISSUER, "insufficient_funds", "try_again_later"),
    "invalid_account": CardError(_ISSUER, "invalid_account", "confirm_card_data"),
    "invalid_cvc": CardError("incorrect_cvc", "incorrect_cvc", "confirm_card_data"),
    "invalid_number": CardError("incorrect_number", "incorrect_number", "confirm_card_data"),
    "issuer_unavailable": CardError(_ISSUER, "issuer_not_available", "try_again_later"),
    "lost_card": CardError(_ISSUER, "lost_card", "do_not_try_again"),
    "not_permitted": CardError(_ISSUER, "transaction_not_allowed", "do_not_try_again"),
    "pickup_card": CardError(_ISSUER, "pickup_card", "do_not_try_again"),
    "processing_error": CardError("processing_error", "processing_error", "try_again_later"),
    "restricted_card": CardError(_ISSUER, "restricted_card"),
    "revocation": CardError(_ISSUER, "revocation_of_authorization", "do_not_try_again"),
    "stolen_card": CardError(_ISSUER, "stolen_card", "do_not_try_again"),
    "try_again": CardError(_ISSUER, "try_again_later", "try_again_later"),
    "velocity": CardError(_ISSUER, "card_velocity_exceeded", "try_again_later"),
    "withdrawal_limit": CardError(_ISSUER, "withdrawal_count_limit_exceeded", "try_again_later"),
}


class Refused(Refusal):
    """The call is refused: nothing of it is kept, and no answer under its key.

    `more`: further fields of the error, such as `payment_intent`.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        *,
        kind: str = "invalid_request_error",
        retry_after_s: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, code or kind, message, retry_after_s)
        self._reply = error_reply(status, {"type": kind, "code": code, "message": message, **more})
        if retry_after_s is not None:
            self._reply.headers["Retry-After"] = str(retry_after_s)

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return self._reply


def error_reply(status: int, error: dict[str, Any]) -> Reply:
    """An error; what is None is left out, as Stripe does."""
    said = {name: value for name, value in error.items() if value is not None}
    return json_reply(status, {"error": said})


def no_such(what: str, object_id: str, param: str, status: int = 404) -> Refused:
    """Nobody, or nobody with this account, has an object with this id. `what`: such as `payment_intent`."""
    return Refused(status, f"No such {what}: '{object_id}'", "resource_missing", param=param)


def unexpected_state(message: str, intent: dict[str, Any]) -> Refused:
    """The intent's status forbids what was asked."""
    return Refused(400, message, "payment_intent_unexpected_state", payment_intent=intent)


def decline(script_code: str, charge: str | None) -> dict[str, Any]:
    """`last_payment_error` of a decline, and the `error` of the answer that it came with."""
    said = DECLINES[script_code]
    if said.code == "payment_intent_authentication_failure":
        message = "The provided PaymentMethod has failed authentication."
        return {"type": "invalid_request_error", "code": said.code, "message": message}
    return {
        "type": "card_error",
        "code": said.code,
        "message": "Your card was declined.",
        "charge": charge,
        **({"decline_code": said.decline_code} if said.decline_code else {}),
        **({"advice_code": said.advice_code} if said.advice_code else {}),
    }


def request_headers(version: str) -> dict[str, str]:
    """What stands in the head of every answer."""
    return {"Request-Id": new_id("req"), "Stripe-Version": version}


class StripeWording:
    """What goes wrong at the gateway itself."""

    def failed(self, *, done: bool) -> Reply:
        """A 500, which does not say whether the call was carried out."""
        return error_reply(500, {"type": "api_error", "message": "Something went wrong on Stripe's end."})

    def unavailable(self) -> Reply:
        """A 503."""
        return error_reply(503, {"type": "api_error", "message": "The gateway is not available."})

    def unauthorized(self) -> Reply:
        """The API key is refused."""
        return error_reply(401, {"type": "invalid_request_error", "message": "Invalid API Key provided."})

    def busy(self) -> Reply:
        """The first call with this key is still under way."""
        message = "There is currently another in-progress request using this Idempotency Key."
        error = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": message}
        return error_reply(409, error)

    def too_many(self, retry_after_s: int) -> Reply:
        """A 429."""
        return Refused(429, "Too many requests.", "rate_limit", retry_after_s=retry_after_s).reply

    def misspelt(self, message: str) -> Refused:
        """A script that is not there."""
        return Refused(400, message, "unknown_script")
