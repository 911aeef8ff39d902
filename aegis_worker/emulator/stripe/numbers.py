"""Cards by number: Stripe's test cards. Only a card's name is kept, never its number. Pure.

Source: docs.stripe.com/testing, "Cards by brand", "Declined payments", "3D Secure" and the like; what is refused of the
fields of a card: docs.stripe.com/error-codes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .. import raw_cards
from .errors import Refused

# By number, the part of `pm_card_…` that names the card.
NUMBERS = {
    "4242424242424242": "visa",
    "4000056655665556": "visa_debit",
    "5555555555554444": "mastercard",
    "5200828282828210": "mastercard_debit",
    "5105105105105100": "mastercard_prepaid",
    "378282246310005": "amex",
    "371449635398431": "amex",
    "6011111111111117": "discover",
    "6011000990139424": "discover",
    "3056930009020004": "diners",
    "36227206271667": "diners",
    "3566002020360505": "jcb",
    "6200000000000005": "unionpay",
    "4000000000000002": "chargeDeclined",
    "4000000000009995": "chargeDeclinedInsufficientFunds",
    "4000000000009987": "visa_chargeDeclinedLostCard",
    "4000000000009979": "visa_chargeDeclinedStolenCard",
    "4000000000000069": "chargeDeclinedExpiredCard",
    "4100000000000019": "radarBlock",
    "4000000000000127": "chargeDeclinedIncorrectCvc",
    "4000000000000119": "chargeDeclinedProcessingError",
    "4000000000006975": "visa_chargeDeclinedVelocityLimitExceeded",
    "4000000000000341": "chargeCustomerFail",
    "4000002760003184": "authenticationRequired",
    "4000002500003155": "authenticationRequiredOnSetup",
    "4000008260003178": "authenticationRequiredChargeDeclinedInsufficientFunds",
    "4000000000003063": "threeDSecureRequired",
    "4000000000003220": "threeDSecure2Required",
    "4000008400001629": "threeDSecureRequiredChargeDeclined",
    "4000000000003055": "threeDSecureOptional",
    "4000000000000259": "createDispute",
    "4000000000002685": "createDisputeProductNotReceived",
    "4000000000001976": "createDisputeInquiry",
    "4000000000007726": "pendingRefund",
    "4000000000005126": "refundFail",
}
_FIELDS = frozenset({"number", "exp_month", "exp_year", "cvc"})


def test_id(card: Mapping[str, Any]) -> str:
    """The test card of `payment_method_data[card]`, as the id of a payment method. Raises Refused(400 or 402)."""
    for name in card:
        if name not in _FIELDS:
            raise Refused(
                400, f"Received unknown parameter: {name[:50]}", "parameter_unknown", param=name[:50]
            )
    number, month, year = (card.get(name, "") for name in ("number", "exp_month", "exp_year"))
    if not raw_cards.is_number(number):
        raise _incorrect("number", "incorrect_number", "Your card number is incorrect.")
    if not raw_cards.is_month(month):
        raise _incorrect("exp_month", "invalid_expiry_month", "Your card's expiration month is invalid.")
    now = time.gmtime()
    if not raw_cards.is_year(year) or raw_cards.is_over(month, year, (now.tm_year, now.tm_mon)):
        raise _incorrect("exp_year", "invalid_expiry_year", "Your card's expiration year is invalid.")
    if "cvc" in card and not raw_cards.is_code(card["cvc"]):
        raise _incorrect("cvc", "invalid_cvc", "Your card's security code is invalid.")
    if number not in NUMBERS:
        message = "Your card was declined. Your request was in test mode, but used a non test card."
        raise Refused(402, message, "card_declined", kind="card_error", decline_code="test_mode_live_card")
    return f"pm_card_{NUMBERS[number]}"


def as_markdown() -> str:
    """The table for people: the number, and the payment method that is the same card."""
    rows = ["| number | payment method |", "| --- | --- |"]
    return "\n".join([*rows, *(f"| `{number}` | `pm_card_{name}` |" for number, name in NUMBERS.items())])


def _incorrect(field: str, code: str, message: str) -> Refused:
    return Refused(402, message, code, kind="card_error", param=field)
