"""Razorpay's reasons to fail or refuse, translated to ours. Pure.

Source: github.com/razorpay/markdown-docs, payments/payment-gateway/rainy-day/errors/error-reasons.md,
errors/payments/cards.md and errors/payments/upi.md.
"""

from __future__ import annotations

from aegis_worker.domain.outcomes import Declined

from .errors import RazorpayError

# By the `reason` of an error, which is the `error_reason` of a payment. Any other becomes a generic decline.
DECLINE_CODES = {
    "authentication_failed": "authentication_failed",
    "authorisation_declined_by_psp": "do_not_honor",
    "bank_account_invalid": "invalid_account",
    "bank_account_validation_failed": "invalid_account",
    "bank_cutoff_in_progress": "issuer_unavailable",
    "bank_not_available": "issuer_unavailable",
    "bank_technical_error": "issuer_unavailable",
    "beneficiary_account_does_not_exist": "gateway_misconfigured",
    "beneficiary_account_dormant": "gateway_misconfigured",
    "capture_failed": "processing_error",
    "card_declined": "do_not_honor",
    "card_disabled_for_online_payments": "transaction_not_permitted",
    "card_expired": "expired_card",
    "card_network_not_enabled": "card_not_supported",
    "card_not_enrolled": "transaction_not_permitted",
    "card_number_invalid": "invalid_number",
    "card_type_invalid": "card_not_supported",
    "compliance_violation": "suspected_fraud",
    "credit_failed": "processing_error",
    "credit_limit_exceeded": "amount_limit_exceeded",
    "credit_limit_expired": "transaction_not_permitted",
    "credit_limit_inactive": "transaction_not_permitted",
    "credit_limit_not_approved": "transaction_not_permitted",
    "credit_not_permitted": "processing_error",
    "debit_declined": "do_not_honor",
    "debit_instrument_blocked": "restricted_card",
    "debit_instrument_inactive": "restricted_card",
    "emi_greater_than_max_amount": "amount_limit_exceeded",
    "funds_blocked_by_mandate": "insufficient_funds",
    "gateway_technical_error": "processing_error",
    "incorrect_card_details": "invalid_number",
    "incorrect_card_expiry_date": "expired_card",
    "incorrect_cvv": "invalid_cvc",
    "incorrect_otp": "authentication_failed",
    "incorrect_pin": "authentication_failed",
    "insufficient_funds": "insufficient_funds",
    "international_transaction_not_allowed": "card_not_supported",
    "invalid_currency": "currency_not_supported",
    "invalid_device": "authentication_failed",
    "invalid_mobile_number": "invalid_account",
    "invalid_otp": "authentication_failed",
    "invalid_response_from_gateway": "processing_error",
    "invalid_user_details": "invalid_account",
    "invalid_vpa": "invalid_account",
    "issuer_technical_error": "issuer_unavailable",
    "live_mode_not_enabled": "gateway_misconfigured",
    "merchant_not_activated": "gateway_misconfigured",
    "mobile_number_invalid": "invalid_account",
    "otp_attempts_exceeded": "authentication_failed",
    "otp_expired": "authentication_expired",
    "payment_cancelled": "payer_cancelled",
    "payment_collect_request_expired": "authentication_expired",
    "payment_declined": "do_not_honor",
    "payment_declined_due_to_high_traffic": "try_again_later",
    "payment_method_not_enabled": "card_not_supported",
    "payment_pending": "issuer_unavailable",
    "payment_risk_check_failed": "suspected_fraud",
    "payment_session_expired": "authentication_expired",
    "payment_timed_out": "authentication_expired",
    "pin_attempts_exceeded": "authentication_failed",
    "pin_not_set": "authentication_failed",
    "psp_not_available": "issuer_unavailable",
    "request_timed_out": "issuer_unavailable",
    "server_error": "processing_error",
    "transaction_daily_count_exceeded": "velocity_exceeded",
    "transaction_daily_limit_exceeded": "amount_limit_exceeded",
    "transaction_frequency_limit_exceeded": "velocity_exceeded",
    "transaction_limit_exceeded": "amount_limit_exceeded",
    "transaction_on_vpa_restricted": "restricted_card",
    "upi_app_technical_error": "issuer_unavailable",
    "user_not_eligible": "transaction_not_permitted",
    "user_not_registered_for_netbanking": "transaction_not_permitted",
    "vpa_resolution_failed": "issuer_unavailable",
}


def failed(reason: str, message: str, gateway_ref: str) -> Declined:
    """A payment that failed in Checkout, by the reason that it shows; `payment_failed` and others say nothing."""
    code = DECLINE_CODES.get(reason, "generic_decline")
    return Declined(code, reason or "failed", message, gateway_ref)


def refused(error: RazorpayError) -> Declined:
    """A request that was refused; one without a known reason is a request that Razorpay does not take as it is."""
    return Declined(DECLINE_CODES.get(error.reason, "invalid_request"), error.said, error.message)
