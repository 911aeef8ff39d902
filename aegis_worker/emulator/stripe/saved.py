"""Customers, and payment methods that are saved with them: `POST /v1/customers`, `POST /v1/payment_methods/:id/attach`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..payments import new_id
from ..rows import Document
from ..transaction import Transaction
from . import forms
from .books import StripeBooks
from .errors import no_such
from .shapes import method_object


def create_customer(
    books: StripeBooks, tx: Transaction, form: Mapping[str, Any], account: str, now: float
) -> dict[str, Any]:
    """A customer. Raises Refused."""
    forms.check_names(form, frozenset({"description", "email", "expand", "metadata", "name"}), frozenset())
    customer_id = new_id("cus")
    shown = {
        "id": customer_id,
        "object": "customer",
        "created": int(now),
        "description": forms.text(form, "description") or None,
        "email": forms.text(form, "email") or None,
        "livemode": books.place.livemode,
        "metadata": forms.texts(form, "metadata"),
        "name": forms.text(form, "name") or None,
    }
    tx.put_document(Document(customer_id, "customer", None, {"account": account}))
    return shown


def attach(
    books: StripeBooks, tx: Transaction, form: Mapping[str, Any], account: str, method_id: str
) -> dict[str, Any]:
    """The payment method saved with a customer: one of the test cards gets an id of its own by that. Raises Refused."""
    forms.check_names(form, frozenset({"customer", "expand"}), frozenset({"customer"}))
    customer = forms.text(form, "customer")
    known = tx.document("customer", customer)
    if known is None or known.body["account"] != account:
        raise no_such("customer", customer, "customer")
    card, _ = books.card(tx, method_id, account)
    saved_as = new_id("pm")
    body = {"account": account, "test_id": method_id, "customer": customer}
    tx.put_document(Document(saved_as, "payment_method", None, body))
    return method_object(saved_as, card.brand, card.last4, customer, books.place)
