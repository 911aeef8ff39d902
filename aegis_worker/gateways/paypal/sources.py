"""By what an order is paid, as PayPal takes it: developer.paypal.com/docs/api/orders/v2, `payment_source`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.terms import PaymentTerms

PROVIDER = "paypal"
# What a payer who has to approve in their wallet is sent for, and what was saved in PayPal's vault.
METHODS: Mapping[str, frozenset[str]] = {"card": frozenset({"token"}), "wallet": frozenset({"provider"})}


# Of a charge without the payer, by its reason.
_TYPES = {None: "UNSCHEDULED", "unscheduled": "UNSCHEDULED", "recurring": "RECURRING"}


def is_card(terms: PaymentTerms) -> bool:
    """Whether it is paid with a card that was saved in PayPal's vault."""
    return bool(terms.payment_method["type"] == "card")


def is_saved(terms: PaymentTerms) -> bool:
    """Whether it is paid with something that was saved in PayPal's vault, so that nobody has to approve it."""
    return "token" in terms.payment_method


def is_authenticated(terms: PaymentTerms) -> bool:
    """Whether PayPal is asked before the charge if the card's issuer wants its holder authenticated."""
    return is_card(terms) and not terms.off_session


def wallet_to_approve(return_url: str, *, ships: bool) -> dict[str, Any]:
    """For an order whose payer approves it at PayPal, and comes back whatever came of it."""
    context = {
        "return_url": return_url,
        "cancel_url": return_url,
        "user_action": "PAY_NOW",
        "shipping_preference": "SET_PROVIDED_ADDRESS" if ships else "NO_SHIPPING",
    }
    return {"paypal": {"experience_context": context}}


def card_to_authenticate(terms: PaymentTerms, return_url: str, *, always: bool) -> dict[str, Any]:
    """For a card whose holder is there: PayPal has them authenticated where the issuer or the law wants it, or `always`,
    where there is 3-D Secure at all.
    """
    context = {"return_url": return_url, "cancel_url": return_url}
    demanded = {"attributes": {"verification": {"method": "SCA_ALWAYS"}}} if always else {}
    return {"card": {**_card(terms), **demanded, "experience_context": context}}


def saved(terms: PaymentTerms) -> dict[str, Any]:
    """What is charged at once."""
    if is_card(terms):
        return {"card": _card(terms)}
    return {"paypal": {"vault_id": terms.payment_method["token"]}}


def _card(terms: PaymentTerms) -> dict[str, Any]:
    """Who is behind the charge of a stored card. PayPal takes one time only from the payer."""
    is_ours = bool(terms.off_session)
    stored = {
        "payment_initiator": "MERCHANT" if is_ours else "CUSTOMER",
        "payment_type": _TYPES[terms.off_session_reason] if is_ours else "ONE_TIME",
        "usage": "SUBSEQUENT",
    }
    return {"vault_id": terms.payment_method["token"], "stored_credential": stored}
