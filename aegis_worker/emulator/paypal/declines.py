"""What the scripts decline with, in PayPal's words: those of a card's processor, and the issues of a wallet. Pure.

Source: developer.paypal.com/docs/checkout/advanced/processor-response-codes and …/api/rest/reference/orders/v2/errors.
"""

from __future__ import annotations

_RESPONSE_CODES = {
    "account_closed": "5190",
    "authentication_required": "5650",
    "card_not_supported": "5910",
    "currency_not_supported": "5910",
    "do_not_honor": "0500",
    "expired_card": "5400",
    "fraud": "9500",
    "insufficient_funds": "5120",
    "invalid_account": "1330",
    "invalid_cvc": "5110",
    "invalid_number": "1330",
    "issuer_unavailable": "9100",
    "lost_card": "9520",
    "not_permitted": "0580",
    "pickup_card": "9530",
    "processing_error": "9600",
    "restricted_card": "5180",
    "revocation": "9510",
    "stolen_card": "9520",
    "try_again": "9100",
    "velocity": "5140",
    "withdrawal_limit": "5120",
}
_WALLET_ISSUES = {
    "account_closed": "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "fraud": "TRANSACTION_REFUSED",
    "lost_card": "TRANSACTION_REFUSED",
    "not_permitted": "PAYER_CANNOT_PAY",
    "pickup_card": "TRANSACTION_REFUSED",
    "restricted_card": "PAYER_ACCOUNT_RESTRICTED",
    "revocation": "TRANSACTION_REFUSED",
    "stolen_card": "TRANSACTION_REFUSED",
}
_GENERIC_DECLINE = "5100"


def response_code(script_code: str) -> str:
    """What a card's processor says where a script declines."""
    return _RESPONSE_CODES.get(script_code, _GENERIC_DECLINE)


def wallet_issue(script_code: str) -> str:
    """What PayPal says where a script declines a wallet."""
    return _WALLET_ISSUES.get(script_code, "INSTRUMENT_DECLINED")
