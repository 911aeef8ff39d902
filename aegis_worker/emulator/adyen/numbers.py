"""Cards by number: Adyen's test cards. Only a card's name is kept, never its number. Pure.

Sources: docs.adyen.com/development-resources/testing/test-card-numbers; how the holder's name chooses a refusal:
docs.adyen.com/development-resources/testing/result-codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .. import raw_cards
from .errors import Refused

# By number, the stored payment method that is the same card.
CARDS = {
    "4111111111111111": "tok_visa",
    "4444333322221111": "tok_visa",
    "4646464646464644": "tok_visa",
    "4988438843884305": "tok_visa",
    "5555555555554444": "tok_mastercard",
    "5555444433331111": "tok_mastercard",
    "5500000000000004": "tok_mastercard",
    "5454545454545454": "tok_mastercard",
    "370000000000002": "tok_visa",
    "4212345678901237": "tok_authenticate",
    "4917610000000000": "tok_authenticate",
    "5212345678901234": "tok_authenticate",
}
# By the holder's name, the stored payment method that ends so.
BY_HOLDER = {
    "APPROVED": "tok_visa",
    "BLOCK_CARD": "tok_hard_lost_card",
    "CARD_EXPIRED": "tok_hard_expired_card",
    "CVC_DECLINED": "tok_hard_invalid_cvc",
    "DECLINED": "tok_soft_do_not_honor",
    "ERROR": "tok_soft_processing_error",
    "FRAUD": "tok_hard_fraud",
    "INVALID_CARD": "tok_hard_invalid_number",
    "ISSUER_UNAVAILABLE": "tok_soft_issuer_unavailable",
    "NOT_ENOUGH_BALANCE": "tok_soft_insufficient_funds",
    "NOT_SUPPORTED": "tok_hard_card_not_supported",
    "RESTRICTED_CARD": "tok_hard_restricted_card",
    "TRANSACTION_NOT_PERMITTED": "tok_hard_not_permitted",
    "WITHDRAWAL_AMOUNT_EXCEEDED": "tok_soft_withdrawal_limit",
    "WITHDRAWAL_COUNT_EXCEEDED": "tok_soft_velocity",
}
_FIELDS = frozenset(
    ["brand", "cvc", "expiryMonth", "expiryYear", "holderName", "networkPaymentReference", "number", "type"]
)


def stored_as(method: Mapping[str, Any]) -> str:
    """The test card of a `paymentMethod` with a number, as the id of a stored one. Raises Refused(400 or 422)."""
    for name in method:
        if name not in _FIELDS:
            raise Refused(400, "702", f"Unable to parse: unrecognized field {name[:50]}")
    number, month, year = (method.get(name) for name in ("number", "expiryMonth", "expiryYear"))
    if not raw_cards.is_number(number):
        raise Refused(422, "101", "Invalid card number")
    if not raw_cards.is_month(month) or not raw_cards.is_year(year):
        raise Refused(422, "129", "Expiry Date Invalid")
    now = datetime.now(UTC)
    if raw_cards.is_over(str(month), str(year), (now.year, now.month)):
        return BY_HOLDER["CARD_EXPIRED"]
    if "cvc" in method and not raw_cards.is_code(method["cvc"]):
        raise Refused(422, "103", "CVC is not the right length")
    asked = BY_HOLDER.get(str(method.get("holderName", "")).upper())
    return asked or CARDS.get(str(number), BY_HOLDER["INVALID_CARD"])


def as_markdown() -> str:
    """The table for people: the number, and the stored payment method that is the same card; then by holders' names."""
    rows = ["| number | stored payment method |", "| --- | --- |"]
    rows += [f"| `{number}` | `{token}` |" for number, token in CARDS.items()]
    rows += ["", "| holder's name | stored payment method |", "| --- | --- |"]
    return "\n".join([*rows, *(f"| `{name}` | `{token}` |" for name, token in BY_HOLDER.items())])
