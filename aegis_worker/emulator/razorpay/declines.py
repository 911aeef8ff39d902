"""Why a payment failed, in Razorpay's words: razorpay.com/docs/errors/payments/cards and …/error-reasons. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..replies import Reply
from .errors import BAD_REQUEST, GATEWAY_ERROR, Where, error_reply

_AUTHENTICATION, _AUTHORIZATION = "payment_authentication", "payment_authorization"
_DESCRIPTIONS = {
    "authentication_failed": "Your payment could not be completed as the verification at your bank failed.",
    "bank_account_invalid": "Your payment was declined as the bank account is not valid. Try another account.",
    "bank_technical_error": "Your payment could not be completed due to a temporary technical issue at the bank.",
    "card_declined": "Your payment was declined by the bank. Try another payment method.",
    "card_disabled_for_online_payments": "Your payment was declined as the card is not enabled for online payments.",
    "card_expired": "Your payment could not be completed as the card has expired.",
    "card_network_not_enabled": "Your payment was declined as the card network is not enabled for the business.",
    "card_number_invalid": "Your payment could not be completed as the card number is not valid.",
    "debit_instrument_blocked": "Your payment was declined as the card or account is blocked.",
    "debit_instrument_inactive": "Your payment was declined as the card or account is not active.",
    "gateway_technical_error": "Your payment could not be completed due to a temporary technical issue.",
    "incorrect_cvv": "Your payment could not be completed due to an incorrect CVV.",
    "insufficient_funds": "Your payment could not be completed due to insufficient account balance.",
    "invalid_currency": "Your payment was declined as the currency is not supported.",
    "payment_failed": "Payment failed",
    "payment_risk_check_failed": "Your payment was declined by the bank as a risk.",
    "payment_timed_out": "Payment was not completed on time.",
    "transaction_limit_exceeded": "Your payment was declined as the limit of the card or account is exceeded.",
}
_GATEWAYS = frozenset({"bank_technical_error", "gateway_technical_error"})
# The source, the step and the reason, by what a script declines with.
_WHERE: dict[str, Where] = {
    "account_closed": ("issuer_bank", _AUTHORIZATION, "bank_account_invalid"),
    "authentication_failed": ("customer", _AUTHENTICATION, "authentication_failed"),
    "authentication_required": ("customer", _AUTHENTICATION, "authentication_failed"),
    "card_not_supported": ("business", _AUTHORIZATION, "card_network_not_enabled"),
    "currency_not_supported": ("business", "payment_initiation", "invalid_currency"),
    "do_not_honor": ("issuer_bank", _AUTHORIZATION, "card_declined"),
    "expired_card": ("customer", _AUTHORIZATION, "card_expired"),
    "fraud": ("issuer_bank", _AUTHORIZATION, "payment_risk_check_failed"),
    "insufficient_funds": ("customer", _AUTHORIZATION, "insufficient_funds"),
    "invalid_account": ("issuer_bank", _AUTHORIZATION, "bank_account_invalid"),
    "invalid_cvc": ("customer", _AUTHORIZATION, "incorrect_cvv"),
    "invalid_number": ("customer", "payment_initiation", "card_number_invalid"),
    "issuer_unavailable": ("issuer_bank", _AUTHORIZATION, "bank_technical_error"),
    "lost_card": ("issuer_bank", _AUTHORIZATION, "debit_instrument_blocked"),
    "not_permitted": ("issuer_bank", _AUTHORIZATION, "card_disabled_for_online_payments"),
    "pickup_card": ("issuer_bank", _AUTHORIZATION, "debit_instrument_blocked"),
    "processing_error": ("gateway", _AUTHORIZATION, "gateway_technical_error"),
    "restricted_card": ("issuer_bank", _AUTHORIZATION, "debit_instrument_inactive"),
    "revocation": ("issuer_bank", _AUTHORIZATION, "card_declined"),
    "stolen_card": ("issuer_bank", _AUTHORIZATION, "debit_instrument_blocked"),
    "timed_out": ("customer", _AUTHENTICATION, "payment_timed_out"),
    "velocity": ("issuer_bank", _AUTHORIZATION, "transaction_limit_exceeded"),
    "withdrawal_limit": ("issuer_bank", _AUTHORIZATION, "transaction_limit_exceeded"),
}
_UNSAID: Where = ("issuer_bank", _AUTHORIZATION, "payment_failed")


@dataclass(frozen=True, slots=True)
class Decline:
    """`where`: source, step and reason."""

    code: str
    description: str
    where: Where


def declined(script_code: str) -> Decline:
    """What Razorpay says where a script declines with this code."""
    where = _WHERE.get(script_code, _UNSAID)
    reason = where[2]
    return Decline(GATEWAY_ERROR if reason in _GATEWAYS else BAD_REQUEST, _DESCRIPTIONS[reason], where)


def declined_reply(script_code: str, metadata: Mapping[str, str] | None = None) -> Reply:
    """The answer to a call that a script declines. `metadata`: which payment and order it is about."""
    found = declined(script_code)
    return error_reply(400, found.description, code=found.code, where=found.where, metadata=metadata)
