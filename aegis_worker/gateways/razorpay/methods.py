"""What pays at Razorpay: everything in Checkout, by our type of payment method. Pure.

Source: github.com/razorpay/markdown-docs,
payments/payment-gateway/web-integration/standard/configure-payment-methods/supported-methods.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The payer enters everything in Checkout, so nothing has to be known before. Nothing moves before our capture.
METHODS: Mapping[str, frozenset[str]] = dict.fromkeys(
    ("card", "upi", "net_banking", "wallet", "pay_later"), frozenset[str]()
)
# Wallets and lenders. PayPal is left out, because it is a gateway of its own.
PROVIDERS = frozenset(
    {"airtelmoney", "amazonpay", "jiomoney", "lazypay", "mobikwik", "olamoney", "payzapp", "phonepe"}
)
_WORDS = {
    "card": "card",
    "upi": "upi",
    "net_banking": "netbanking",
    "wallet": "wallet",
    "pay_later": "paylater",
}
# What the order's notes say of it: Razorpay's word for the type, and which bank, wallet or lender.
METHOD, INSTRUMENT = "method", "instrument"
_INSTRUMENTS = {"netbanking": "banks", "wallet": "wallets", "paylater": "providers"}


def noted_method(method: Mapping[str, Any]) -> dict[str, str]:
    """What an order notes of how it is to be paid, so that whoever looks it up can hand it to Checkout."""
    noted = {METHOD: _WORDS[method["type"]]}
    instrument = method.get("bank_code") or method.get("provider")
    return noted if instrument is None else {**noted, INSTRUMENT: instrument}


def shown_methods(notes: Mapping[str, str]) -> dict[str, Any] | None:
    """Checkout's `config`, by which it shows this method alone; None where the order does not say which."""
    method, instrument = notes.get(METHOD), notes.get(INSTRUMENT)
    if method is None:
        return None
    chosen: dict[str, Any] = {"method": method}
    if instrument is not None and method in _INSTRUMENTS:
        chosen[_INSTRUMENTS[method]] = [instrument]
    display = {
        "blocks": {"chosen": {"name": "Pay", "instruments": [chosen]}},
        "sequence": ["block.chosen"],
        "preferences": {"show_default_blocks": False},
    }
    return {"display": display}
