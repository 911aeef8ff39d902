"""The sandbox's decline codes, translated to ours. Pure."""

from __future__ import annotations

from aegis_worker.domain.outcomes import Declined

# Any other code becomes a generic decline.
DECLINE_CODES = {
    "account_closed": "closed_account",
    "authentication_failed": "authentication_failed",
    "authentication_required": "authentication_required",
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


def declined(code: str, message: str, gateway_ref: str) -> Declined:
    """A decline of the payment `gateway_ref`, with the sandbox's own code translated."""
    return Declined(DECLINE_CODES.get(code, "generic_decline"), code, message, gateway_ref)
