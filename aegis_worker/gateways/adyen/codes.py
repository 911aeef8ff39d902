"""Adyen's refusals and errors, translated to our decline codes. Pure.

Sources: docs.adyen.com/development-resources/refusal-reasons, …/raw-acquirer-responses and …/error-codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.outcomes import Declined

from ..kit.reading import words

# By `refusalReasonCode`. Any other becomes a generic decline.
DECLINE_CODES = {
    "2": "do_not_honor",
    "3": "do_not_honor",
    "4": "processing_error",
    "5": "restricted_card",
    "6": "expired_card",
    "7": "invalid_request",
    "8": "invalid_number",
    "9": "issuer_unavailable",
    "10": "card_not_supported",
    "11": "authentication_failed",
    "12": "insufficient_funds",
    "14": "suspected_fraud",
    "15": "payer_cancelled",
    "16": "payer_cancelled",
    "17": "authentication_failed",
    "18": "authentication_failed",
    "19": "processing_error",
    "20": "suspected_fraud",
    "21": "invalid_request",
    "22": "suspected_fraud",
    "23": "transaction_not_permitted",
    "24": "invalid_cvc",
    "25": "restricted_card",
    "26": "revocation_of_authorization",
    "27": "do_not_honor",
    "28": "amount_limit_exceeded",
    "29": "velocity_exceeded",
    "31": "suspected_fraud",
    "32": "generic_decline",
    "33": "authentication_required",
    "34": "invalid_account",
    "35": "invalid_account",
    "36": "authentication_required",
    "38": "authentication_required",
    "39": "authentication_failed",
    "42": "authentication_failed",
    "46": "velocity_exceeded",
}
# By the first two characters of `refusalReasonRaw`, which an account may have switched on. Adyen's own code says less: it
# calls a lost card and one over its limit for a day "blocked", and networks fine whoever tries the lost one again.
_RAW = {
    "04": "pickup_card",
    "07": "pickup_card",
    "14": "invalid_number",
    "15": "invalid_account",
    "41": "lost_card",
    "43": "stolen_card",
    "46": "closed_account",
    "57": "transaction_not_permitted",
    "R0": "revocation_of_authorization",
    "R1": "revocation_of_authorization",
    "R3": "revocation_of_authorization",
}
# Mastercard's advice never to try again, as the first two characters of `merchantAdviceCode`.
_NEVER_AGAIN = frozenset({"03", "21"})
# By `errorCode`: what is wrong with the card or token that the request names. Any other is an invalid request.
_ERRORS = {
    "101": "invalid_number",
    "103": "invalid_cvc",
    "129": "expired_card",
    "800": "invalid_token",
    "803": "invalid_token",
    "14_012": "invalid_token",
}


def refused(body: Mapping[str, Any], gateway_ref: str | None) -> Declined:
    """A refusal that came as an answer: `resultCode` Refused, Cancelled or Error.

    Advice not to try again outweighs a code that says less: the networks fine whoever tries such a card again.
    """
    said, more = words(body, "refusalReasonCode"), body.get("additionalData")
    more = more if isinstance(more, dict) else {}
    code = _RAW.get(words(more, "refusalReasonRaw")[:2]) or DECLINE_CODES.get(said)
    if code is None:
        code = "payer_cancelled" if body.get("resultCode") == "Cancelled" else "generic_decline"
    advised = words(more, "merchantAdviceCode")[:2] in _NEVER_AGAIN
    if advised and not DECLINES[code].never_again and DECLINES[code].category in ("soft", "hard"):
        code = "do_not_try_again"
    gateway_code = said or words(body, "resultCode")
    return Declined(code, gateway_code, words(body, "refusalReason"), gateway_ref)


def invalid(error_code: str, message: str) -> Declined:
    """An error of the request: nothing was done."""
    return Declined(_ERRORS.get(error_code, "invalid_request"), error_code or "invalid", message)
