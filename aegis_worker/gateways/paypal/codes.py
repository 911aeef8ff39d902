"""PayPal's reasons to refuse, translated to ours. Pure.

Issues of errors: developer.paypal.com/api/rest/reference/orders/v2/errors and the OpenAPI documents of Orders and Payments.
Response codes of cards' processors: developer.paypal.com/api/rest/reference/orders/v2/errors, "Processor response codes".
"""

from __future__ import annotations

from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.outcomes import Declined

from .errors import PayPalError

_ISSUES = {
    "AGREEMENT_ALREADY_CANCELLED": "revocation_of_authorization",
    "AUTHORIZATION_ALREADY_CAPTURED": "too_late",
    "AUTHORIZATION_DENIED": "too_late",
    "AUTHORIZATION_EXPIRED": "authorization_expired",
    "AUTHORIZATION_VOIDED": "too_late",
    "BILLING_AGREEMENT_NOT_FOUND": "invalid_token",
    "CARD_BRAND_NOT_SUPPORTED": "card_not_supported",
    "CARD_CLOSED": "closed_account",
    "CARD_EXPIRED": "expired_card",
    "CURRENCY_NOT_SUPPORTED_FOR_BANK": "currency_not_supported",
    "IDENTIFIER_NOT_FOUND": "invalid_token",
    "INSTRUMENT_DECLINED": "do_not_honor",
    "INVALID_CURRENCY_CODE": "currency_not_supported",
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": "velocity_exceeded",
    "MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE": "invalid_token",
    "NOT_ENABLED_FOR_CARD_PROCESSING": "gateway_misconfigured",
    "ORDER_EXPIRED": "authentication_expired",
    "ORDER_NOT_APPROVED": "authentication_expired",
    "PAYEE_ACCOUNT_LOCKED_OR_CLOSED": "gateway_misconfigured",
    "PAYEE_ACCOUNT_RESTRICTED": "gateway_misconfigured",
    "PAYEE_BLOCKED_TRANSACTION": "suspected_fraud",
    "PAYEE_NOT_ENABLED_FOR_CARD_PROCESSING": "gateway_misconfigured",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": "closed_account",
    "PAYER_ACCOUNT_RESTRICTED": "transaction_not_permitted",
    "PAYER_ACTION_REQUIRED": "authentication_required",
    "PAYER_CANNOT_PAY": "generic_decline",
    "PREVIOUSLY_CAPTURED": "too_late",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": "do_not_honor",
    "REFERENCED_CARD_EXPIRED": "expired_card",
    "TOKEN_ID_NOT_FOUND": "invalid_token",
    "TRANSACTION_BLOCKED_BY_PAYEE": "suspected_fraud",
    "TRANSACTION_LIMIT_EXCEEDED": "amount_limit_exceeded",
    "TRANSACTION_RECEIVING_LIMIT_EXCEEDED": "gateway_misconfigured",
    "TRANSACTION_REFUSED": "generic_decline",
}
_PROCESSORS = {
    "0500": "do_not_honor",
    "0580": "transaction_not_permitted",
    "0960": "processing_error",
    "10BR": "do_not_honor",
    "1310": "amount_limit_exceeded",
    "1330": "invalid_account",
    "1335": "invalid_account",
    "1352": "restricted_card",
    "1380": "expired_card",
    "1382": "invalid_cvc",
    "5100": "generic_decline",
    "5110": "invalid_cvc",
    "5120": "insufficient_funds",
    "5140": "closed_account",
    "5150": "pickup_card",
    "5180": "invalid_number",
    "5210": "transaction_not_permitted",
    "5400": "expired_card",
    "5650": "authentication_required",
    "5700": "transaction_not_permitted",
    "5710": "velocity_exceeded",
    "5900": "issuer_unavailable",
    "5910": "issuer_unavailable",
    "5920": "issuer_unavailable",
    "5930": "card_not_supported",
    "5950": "closed_account",
    "6300": "invalid_account",
    "7700": "authentication_failed",
    "7710": "authentication_failed",
    "8000": "processing_error",
    "8100": "processing_error",
    "8110": "try_again_later",
    "8220": "issuer_unavailable",
    "9100": "try_again_later",
    "9500": "suspected_fraud",
    "9510": "suspected_fraud",
    "9520": "lost_card",
    "9540": "card_not_supported",
    "PPAE": "card_not_supported",
    "PPCE": "currency_not_supported",
    "PPRN": "revocation_of_authorization",
    "PPTV": "velocity_exceeded",
}
DECLINE_CODES = _ISSUES | _PROCESSORS
# They may be about our own first call, so the order has to show what became of it.
IN_DOUBT = frozenset(
    {
        "DUPLICATE_INVOICE_ID",
        "DUPLICATE_REQUEST_ID",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_ALREADY_CAPTURED",
        "ORDER_ALREADY_COMPLETED",
        "ORDER_COMPLETION_IN_PROGRESS",
        "PAYPAL_REQUEST_ID_PREVIOUSLY_USED",
        "PREVIOUS_REQUEST_IN_PROGRESS",
    }
)
# Advice of the card's network never to try again: developer.paypal.com/api/rest/reference/orders/v2/errors.
_NEVER_AGAIN, _NEVER_AGAIN_ADVICE = "do_not_try_again", frozenset({"03", "21"})


def refused(error: PayPalError) -> Declined:
    """What an error with a known issue says; any other issue is a request that PayPal does not take as it is."""
    code = DECLINE_CODES.get(error.issue, "invalid_request")
    return Declined(code, error.issue, error.message)


def declined(response_code: str, advice: str, status: str, gateway_ref: str) -> Declined:
    """A capture or hold that was declined, by what the card's processor said if it did."""
    code = _PROCESSORS.get(response_code, "generic_decline")
    known = DECLINES[code]
    if advice in _NEVER_AGAIN_ADVICE and not known.never_again and known.category in ("soft", "hard"):
        code = _NEVER_AGAIN
    return Declined(code, response_code or status, "", gateway_ref)
