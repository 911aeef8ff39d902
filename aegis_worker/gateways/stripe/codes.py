"""Stripe's decline codes, translated to ours: docs.stripe.com/declines/codes and docs.stripe.com/error-codes. Pure."""

from __future__ import annotations

from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.outcomes import Declined

from .errors import StripeError

# By decline code where there is one, else by the error's code. Any other becomes a generic decline.
DECLINE_CODES = {
    "authentication_not_handled": "authentication_required",
    "authentication_required": "authentication_required",
    "card_not_supported": "card_not_supported",
    "card_velocity_exceeded": "velocity_exceeded",
    "currency_not_supported": "currency_not_supported",
    "do_not_honor": "do_not_honor",
    "do_not_try_again": "do_not_try_again",
    "expired_card": "expired_card",
    "fraudulent": "suspected_fraud",
    "incorrect_cvc": "invalid_cvc",
    "incorrect_number": "invalid_number",
    "insufficient_funds": "insufficient_funds",
    "invalid_account": "invalid_account",
    "invalid_amount": "amount_limit_exceeded",
    "invalid_cvc": "invalid_cvc",
    "invalid_number": "invalid_number",
    "issuer_not_available": "issuer_unavailable",
    "lost_card": "lost_card",
    "merchant_blacklist": "suspected_fraud",
    "new_account_information_available": "closed_account",
    "no_action_taken": "do_not_honor",
    "not_permitted": "transaction_not_permitted",
    "payment_intent_authentication_failure": "authentication_failed",
    "pickup_card": "pickup_card",
    "processing_error": "processing_error",
    "reenter_transaction": "try_again_later",
    "restricted_card": "restricted_card",
    "revocation_of_all_authorizations": "revocation_of_authorization",
    "revocation_of_authorization": "revocation_of_authorization",
    "service_not_allowed": "transaction_not_permitted",
    "stolen_card": "stolen_card",
    "stop_payment_order": "revocation_of_authorization",
    "transaction_not_allowed": "transaction_not_permitted",
    "try_again_later": "try_again_later",
    "withdrawal_count_limit_exceeded": "amount_limit_exceeded",
}
# Advice never to try again: Stripe's word, and Mastercard's codes for it.
_NEVER_AGAIN = "do_not_try_again"
_NEVER_AGAIN_NETWORK = frozenset({"03", "21"})


def declined(error: StripeError, gateway_ref: str | None) -> Declined:
    """A decline by the issuer or by Stripe, in our words.

    Advice not to try again outweighs a code that says less: the networks fine whoever tries such a card again.
    """
    said = error.decline_code or error.code
    code = DECLINE_CODES.get(said, "generic_decline")
    is_final = error.advice_code == _NEVER_AGAIN or error.network_advice_code in _NEVER_AGAIN_NETWORK
    if is_final and not DECLINES[code].never_again and DECLINES[code].category in ("soft", "hard"):
        code = _NEVER_AGAIN
    return Declined(code, said, error.message, gateway_ref)
