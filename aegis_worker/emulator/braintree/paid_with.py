"""What a transaction was paid with, as Braintree shows it: …/docs/reference/response/credit-card. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from .instruments import PAYPAL, Instrument

_UNKNOWN = "Unknown"
_OF_BIN = (
    "prepaid healthcare debit durbin_regulated commercial payroll issuing_bank country_of_issuance product_id"
)


def paid_with(own_id: str, instrument: Instrument, customer: str) -> dict[str, Any]:
    """The card or wallet of a transaction."""
    if instrument.kind == PAYPAL:
        account = {
            "token": instrument.vaulted or None,
            "payer_email": instrument.identity,
            "payment_id": f"PAY-{own_id.upper()}",
            "authorization_id": f"AUTH{own_id.upper()}",
            "capture_id": f"CAP{own_id.upper()}",
            "image_url": "https://assets.braintreegateway.com/payment_method_logo/paypal.png",
        }
        return {"paypal": account}
    return {"credit_card": card_object(instrument, customer)}


def card_object(instrument: Instrument, customer: str = "") -> dict[str, Any]:
    """A card, as transactions and the vault show it."""
    return {
        "token": instrument.vaulted or None,
        "bin": instrument.bin,
        "last_4": instrument.last4,
        "card_type": instrument.brand,
        "expiration_month": instrument.month,
        "expiration_year": instrument.year,
        "customer_location": "US",
        "customer_id": customer or instrument.customer or None,
        "cardholder_name": instrument.holder or None,
        "image_url": "https://assets.braintreegateway.com/payment_method_logo/unknown.png",
        **dict.fromkeys(_OF_BIN.split(), _UNKNOWN),
        "unique_number_identifier": _number_identifier(instrument) if instrument.vaulted else None,
        "venmo_sdk": False,
    }


def checked(instrument: Instrument) -> dict[str, Any] | None:
    """What 3-D Secure came to; None where it was not asked."""
    if not instrument.checked:
        return None
    passed = instrument.checked == "authenticate_successful"
    return {
        "enrolled": "Y",
        "liability_shifted": passed,
        "liability_shift_possible": True,
        "status": instrument.checked,
        "eci_flag": "05" if passed else "07",
        "three_d_secure_version": "2.2.0",
    }


def _number_identifier(instrument: Instrument) -> str:
    """The same for the same number, whatever else differs."""
    return hashlib.sha256(f"{instrument.brand} {instrument.bin} {instrument.last4}".encode()).hexdigest()[:32]
