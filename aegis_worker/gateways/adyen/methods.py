"""How each type of payment method is written for Adyen. Pure.

Source: docs.adyen.com/api-explorer/Checkout/71/post/payments, `paymentMethod`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.cards import Card, is_vaulted
from aegis_worker.domain.terms import PaymentTerms

# What it takes, each with the fields that it can't do without.
METHODS: Mapping[str, frozenset[str]] = {"card": frozenset({"token"}), "wallet": frozenset({"provider"})}
# Wallets that can be held and captured later, by provider. Most can't, and then the payer's doing moves the money.
_WALLETS: Mapping[str, Mapping[str, str]] = {"paypal": {"type": "paypal", "subtype": "redirect"}}
PROVIDERS = frozenset(_WALLETS)
_SHORTEST_SHOPPER, _LONGEST_SHOPPER = 3, 256
# Only of a card is it certain that a payer's doing moves nothing before it is handed over. A wallet's payer approves there.
HELD_ONLY = frozenset({"wallet"})


def payment_method(terms: PaymentTerms) -> dict[str, Any]:
    """The fields of the request that say how the payer pays.

    A card is one that Adyen has stored: `SHOPPER/ID`, the shopper's reference at Adyen and the stored payment method's id.
    Card data that Adyen's library encrypted in the page is not taken. It holds the security code, which nobody may keep,
    encrypted or not, and a payment's token is kept. A card of the vault is put in by `by_number`, in the call that charges.
    """
    method = terms.payment_method
    if method["type"] == "wallet":
        return {"paymentMethod": dict(_WALLETS[method["provider"]]), "shopperInteraction": "Ecommerce"}
    if is_vaulted(method):
        return {}
    shopper, _, stored = method.get("token", "").rpartition("/")
    return {
        "paymentMethod": {"type": "scheme", "storedPaymentMethodId": stored},
        "shopperReference": shopper or None,
        "shopperInteraction": "ContAuth",
        "recurringProcessingModel": processing_model(terms),
    }


def processing_model(terms: PaymentTerms) -> str:
    """What the card is kept for: docs.adyen.com/online-payments/tokenization/create-tokens, `recurringProcessingModel`."""
    if terms.off_session and terms.off_session_reason == "recurring":
        return "Subscription"
    is_without_payer = terms.off_session or terms.setup_future_usage == "off_session"
    return "UnscheduledCardOnFile" if is_without_payer else "CardOnFile"


def by_number(card: Card, terms: PaymentTerms) -> dict[str, Any]:
    """A card as Adyen takes it from merchants who assess their PCI DSS compliance themselves:
    docs.adyen.com/payment-methods/cards/raw-card-data. The holder's name is for 3-D Secure.
    """
    written = {
        "type": "scheme",
        "number": card.number,
        "expiryMonth": f"{card.exp_month:02}",
        "expiryYear": str(card.exp_year),
        "cvc": card.cvc,
        "holderName": card.holder,
        "networkPaymentReference": terms.network_transaction_id,
    }
    is_kept = terms.off_session or terms.setup_future_usage is not None
    return {
        "paymentMethod": {name: value for name, value in written.items() if value is not None},
        "shopperInteraction": "ContAuth" if terms.off_session else "Ecommerce",
        "recurringProcessingModel": processing_model(terms) if is_kept else None,
        "shopperReference": _shopper(terms.customer.get("id")) if is_kept else None,
    }


def _shopper(customer_id: str | None) -> str | None:
    """Whose card is kept. Adyen wants it for recurring payments, and takes none that is shorter or longer."""
    is_taken = customer_id is not None and _SHORTEST_SHOPPER <= len(customer_id) <= _LONGEST_SHOPPER
    return customer_id if is_taken else None
