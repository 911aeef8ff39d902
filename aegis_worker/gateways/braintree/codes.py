"""Braintree's codes, translated to ours. Pure.

Source: developer.paypal.com/braintree/docs/reference/general/processor-responses/authorization-responses,
…/settlement-responses, …/gateway-rejections, and the SDK's `ErrorCodes` of validation errors.
"""

from __future__ import annotations

from aegis_worker.domain.declines import DECLINES

# Of processors, by their response code. Any other becomes a generic decline.
_OF_PROCESSORS = {
    "2000": "do_not_honor",
    "2001": "insufficient_funds",
    "2002": "amount_limit_exceeded",
    "2003": "velocity_exceeded",
    "2004": "expired_card",
    "2005": "invalid_number",
    "2006": "expired_card",
    "2007": "invalid_account",
    "2008": "invalid_number",
    "2009": "invalid_account",
    "2010": "invalid_cvc",
    "2011": "do_not_honor",
    "2012": "lost_card",
    "2013": "stolen_card",
    "2014": "suspected_fraud",
    "2015": "transaction_not_permitted",
    "2017": "revocation_of_authorization",
    "2018": "revocation_of_authorization",
    "2019": "transaction_not_permitted",
    "2020": "suspected_fraud",
    "2021": "suspected_fraud",
    "2022": "closed_account",
    "2023": "card_not_supported",
    "2024": "card_not_supported",
    "2025": "gateway_misconfigured",
    "2026": "gateway_misconfigured",
    "2027": "gateway_misconfigured",
    "2028": "gateway_misconfigured",
    "2030": "gateway_misconfigured",
    "2034": "do_not_honor",
    "2038": "do_not_honor",
    "2040": "gateway_misconfigured",
    "2041": "do_not_honor",
    "2042": "gateway_misconfigured",
    "2043": "do_not_try_again",
    "2044": "do_not_honor",
    "2045": "gateway_misconfigured",
    "2046": "do_not_honor",
    "2047": "pickup_card",
    "2048": "invalid_request",
    "2051": "invalid_number",
    "2053": "stolen_card",
    "2057": "restricted_card",
    "2060": "invalid_cvc",
    "2061": "invalid_request",
    "2064": "currency_not_supported",
    "2067": "authorization_expired",
    "2075": "closed_account",
    "2077": "suspected_fraud",
    "2086": "amount_limit_exceeded",
    "2088": "currency_not_supported",
    "2091": "currency_not_supported",
    "2099": "authentication_required",
    "2101": "authentication_required",
    "2103": "velocity_exceeded",
    "2104": "do_not_honor",
    "2107": "restricted_card",
    "2108": "closed_account",
    "3000": "issuer_unavailable",
    "4005": "suspected_fraud",
}
_REJECTED = "gateway_rejected: "
_OF_REJECTIONS = {
    "application_incomplete": "gateway_misconfigured",
    "avs": "generic_decline",
    "avs_and_cvv": "invalid_cvc",
    "cvv": "invalid_cvc",
    "excessive_retry": "velocity_exceeded",
    "fraud": "suspected_fraud",
    "manual_transactions_disabled": "gateway_misconfigured",
    "payment_method_blocked": "suspected_fraud",
    "risk_threshold": "suspected_fraud",
    "three_d_secure": "authentication_required",
}
# Of requests that are refused before a transaction is made of them. Any other is an `invalid_request`.
_OF_VALIDATION = {
    "81703": "card_not_supported",
    "81706": "invalid_cvc",
    "81707": "invalid_cvc",
    "81710": "expired_card",
    "81711": "expired_card",
    "81712": "expired_card",
    "81713": "expired_card",
    "81715": "invalid_number",
    "81716": "invalid_number",
    "81717": "invalid_number",
    "81750": "invalid_number",
    "91510": "invalid_token",
    "91514": "gateway_misconfigured",
    "91516": "invalid_token",
    "91517": "card_not_supported",
    "91518": "invalid_token",
    "91565": "invalid_token",
    "91567": "card_not_supported",
    "91577": "card_not_supported",
    # The payer's bank refused a capture, or a refund.
    "95602": "generic_decline",
    "95603": "try_again_later",
    "915101": "card_not_supported",
    "915200": "generic_decline",
    "915201": "try_again_later",
    "915231": "gateway_misconfigured",
}
DECLINE_CODES = {
    **_OF_PROCESSORS,
    **{f"{_REJECTED}{reason}": code for reason, code in _OF_REJECTIONS.items()},
    **_OF_VALIDATION,
}

NOT_SETTLED = "91506"
# Of a void: it is being settled, or was voided before.
NOT_VOIDABLE = "91504"
# Of a capture: the processor takes no other order id with it.
KEEPS_ORDER_ID = "915107"
# Our own first call may have done, or may be doing, what these say: the nonce is consumed or locked (91564, 91566), the
# transaction is in no state for a void, a settlement or a refund (91504, 91507, 91512), the key of the request is taken
# (915232 to 915235).
IN_DOUBT = frozenset({"91504", "91507", "91512", "91564", "91566", "915232", "915233", "915234", "915235"})
# The nonce is consumed, and stays so.
CONSUMED = "91564"
# What a processor says of a charge that it has seen already: it may have been ours.
DUPLICATES = frozenset({"2016", "2069", "2094"})
DUPLICATE = f"{_REJECTED}duplicate"
# Advice of Mastercard's never to try again.
_NEVER_AGAIN = frozenset({"03", "21"})


def rejected(reason: str) -> str:
    """The gateway code of a rejection by Braintree's own checks."""
    return f"{_REJECTED}{reason}"


def invalid_code(gateway_code: str) -> str:
    """Our code for a request that was refused before a transaction was made of it."""
    return DECLINE_CODES.get(gateway_code, "invalid_request")


def decline_code(gateway_code: str, advice: str = "") -> str:
    """Our code of a decline.

    Advice never to try again outweighs a code that says less: the networks fine whoever tries such a card again.
    """
    code = DECLINE_CODES.get(gateway_code, "generic_decline")
    says_less = not DECLINES[code].never_again and DECLINES[code].category in ("soft", "hard")
    return "do_not_try_again" if advice in _NEVER_AGAIN and says_less else code
