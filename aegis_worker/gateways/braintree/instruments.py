"""What a sale is paid with, as Braintree takes it. Pure.

Source: developer.paypal.com/braintree/docs/reference/request/transaction/sale, parameters `payment_method_nonce`,
`payment_method_token`, `credit_card` and `external_vault`.
"""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.cards import Card
from aegis_worker.domain.terms import PaymentTerms


def instrument(terms: PaymentTerms, card: Card | None) -> dict[str, Any]:
    """A card of our vault; or else a nonce of the shop's page, or `customer/token`, which is a payment method that is saved
    with that customer at Braintree.
    """
    if card is not None:
        return by_number(card, terms)
    customer, slash, method = terms.payment_method.get("token", "").rpartition("/")
    if slash:
        return {"customer-id": customer, "payment-method-token": method}
    return {"payment-method-nonce": method}


def by_number(card: Card, terms: PaymentTerms) -> dict[str, Any]:
    """A card as Braintree takes it from merchants who assess their PCI DSS compliance themselves."""
    return {
        "credit-card": {
            "number": card.number,
            "expiration-month": f"{card.exp_month:02}",
            "expiration-year": str(card.exp_year),
            "cvv": card.cvc,
            "cardholder-name": card.holder,
        },
        "external-vault": _external_vault(terms),
    }


def _external_vault(terms: PaymentTerms) -> dict[str, str | None] | None:
    """What our vault is to Braintree. The network's id is for payments without the payer alone."""
    if terms.off_session:
        return {"status": "vaulted", "previous-network-transaction-id": terms.network_transaction_id}
    return {"status": "will_vault"} if terms.setup_future_usage is not None else None
